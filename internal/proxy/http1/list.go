package http1

import (
	"bytes"
	"iter"
)

// elements gives the elements of a comma-separated list (RFC 9110 §5.6.1),
// without the white space around them. An element may be empty. Commas in
// quoted strings part elements as well: the lists that are read here either
// hold no such strings or are refused with one.
func elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			comma := bytes.IndexByte(list, ',')
			if comma < 0 {
				yield(trim(list))
				return
			}
			if !yield(trim(list[:comma])) {
				return
			}
			list = list[comma+1:]
		}
	}
}

// parseDecimal reads 1*DIGIT. number tells that s is one, ok that it is not
// over the limit either.
func parseDecimal(s []byte, limit int64) (n int64, number, ok bool) {
	if len(s) == 0 || !all(s, isDigit) {
		return 0, false, false
	}
	for _, c := range s {
		d := int64(c - '0')
		if n > (limit-d)/10 {
			return 0, true, false
		}
		n = n*10 + d
	}
	return n, true, true
}
