package config

import "strings"

// nearest returns the candidate that word was most likely meant to be, if one
// is near enough: about one mistake in three letters. The first of equally near
// ones wins.
func nearest(word string, candidates []string) (string, bool) {
	const longest = 64 // bounds the work for a word from outside
	if len(word) > longest {
		return "", false
	}
	normal := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(word))
	best, least := "", min(max(1, len(normal)/3), 4)+1
	for _, candidate := range candidates {
		if d := distance(normal, strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best, best != ""
}

// distance counts the letters to insert, delete or replace, and the neighbours
// to swap, to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
