package rig

import (
	"cmp"
	"slices"
)

// Quantile returns the value below which the share q of the values lies, q
// from 0 (the least) to 1 (the greatest): the nearest of them, none in between.
// There has to be a value.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// Median is the middle one of the values, the upper one of two.
func Median[T cmp.Ordered](values []T) T { return Quantile(values, 0.5) }
