package supervisor

import (
	"reflect"
	"testing"

	"gracevisor/internal/config"
)

// TestTrafficIsPassedOn: the proxy is told each of an app's limits and habits as
// it is configured, none in place of another.
func TestTrafficIsPassedOn(t *testing.T) {
	var from config.Traffic
	in := reflect.ValueOf(&from).Elem()
	for i := range in.NumField() {
		switch field := in.Field(i); field.Kind() {
		case reflect.Int, reflect.Int64:
			field.SetInt(int64(1000 + i))
		case reflect.Bool:
			field.SetBool(true)
		case reflect.String:
			field.SetString(in.Type().Field(i).Name)
		case reflect.Slice:
			field.Set(reflect.ValueOf([]string{in.Type().Field(i).Name}))
		}
	}
	to := trafficOf(&from)
	out := reflect.ValueOf(to)
	for i := range out.NumField() {
		name := out.Type().Field(i).Name
		if got, want := out.Field(i).Interface(), in.FieldByName(name).Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
}
