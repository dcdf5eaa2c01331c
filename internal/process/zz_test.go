package process
import ("testing";"time";"fmt")
func TestZZ(t *testing.T){
 for range 10 {
 t0:=time.Now()
 p,_:=reaper.Start(Spec{Name:"z/1",Argv:[]string{"/bin/true"}})
 t1:=time.Now()
 p.Go(); p.Launched(); t2:=time.Now()
 p.Wait(); t3:=time.Now()
 p.Leftovers(t.Context()); t4:=time.Now()
 fmt.Println(t1.Sub(t0),t2.Sub(t1),t3.Sub(t2),t4.Sub(t3))
 }
}
