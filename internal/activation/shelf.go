package activation

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
)

// What is in the store when that does not take all that is kept. All of this is
// the goroutine's that tells the store.

// putIn stores a file. If the store is full it goes into the place of one that
// matters less; if there is none it stays outside, and a crash loses it.
func (k *Keeper) putIn(ctx context.Context, name string, file *os.File) error {
	in, instead := k.placeFor(name)
	if !in {
		return nil
	}
	if instead != "" {
		if err := k.store.Remove(keptPrefix + instead); err != nil {
			return err
		}
	}
	return k.store.Put(ctx, keptPrefix+name, file)
}

// placeFor notes that a file is in the store, and says whose place it takes.
func (k *Keeper) placeFor(name string) (in bool, instead string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if max := k.store.max; max > 0 && !k.stored[name] && len(k.stored) >= max {
		instead = slices.MaxFunc(slices.Collect(maps.Keys(k.stored)), k.byRank)
		if k.rank(instead) <= k.rank(name) {
			return false, ""
		}
		delete(k.stored, instead)
	}
	k.stored[name] = true
	return true, instead
}

// takeOut removes a file, whose place the first of those takes that are outside.
func (k *Keeper) takeOut(ctx context.Context, name string) error {
	k.mu.Lock()
	delete(k.stored, name)
	next, file := "", (*os.File)(nil)
	if len(k.files) > len(k.stored) && k.store.max > 0 {
		for _, other := range k.ranked() {
			if !k.stored[other] {
				next, file = other, k.files[other]
				break
			}
		}
	}
	k.mu.Unlock()
	err := k.store.Remove(keptPrefix + name)
	if file != nil {
		err = errors.Join(err, k.putIn(ctx, next, file))
	}
	return err
}

// tidy is for when the store has less than was thought, because it has only now
// told how much it takes, or because files came over an exec that were not in it.
// Which those are nobody knows.
func (k *Keeper) tidy(ctx context.Context) error {
	k.mu.Lock()
	max := k.store.max
	if max == 0 || len(k.stored) <= max {
		k.mu.Unlock()
		return nil
	}
	names := k.ranked()
	wanted, others := names[:min(max, len(names))], names[min(max, len(names)):]
	files := maps.Clone(k.files)
	clear(k.stored)
	for _, name := range wanted {
		k.stored[name] = true
	}
	k.mu.Unlock()
	var err error
	for _, name := range others {
		err = errors.Join(err, k.store.Remove(keptPrefix+name))
	}
	for _, name := range wanted {
		err = errors.Join(err, k.store.Put(ctx, keptPrefix+name, files[name]))
	}
	return err
}

// ranked are the names of all files, those first that matter most. The lock is
// held.
func (k *Keeper) ranked() []string {
	return slices.SortedFunc(maps.Keys(k.files), k.byRank)
}

// byRank compares two names; those of one rank have an order, too.
func (k *Keeper) byRank(a, b string) int {
	return cmp.Or(cmp.Compare(k.rank(a), k.rank(b)), cmp.Compare(a, b))
}
