package config

import "gopkg.in/yaml.v3"

// grower makes our tree of YAML's. Every node is made once, however often it
// is aliased, so that the work and the memory stay within the size of the file.
type grower struct {
	file  string
	found *findings
	// made holds the nodes with an anchor; nil for one that is being made,
	// which only an alias to a part of itself can meet.
	made map[*yaml.Node]*node
	// merged counts what merge keys looked at: aliases let a short document
	// merge much.
	merged int
}

// grow returns the tree of a document, or nil if it is too large.
func grow(file string, doc *yaml.Node, found *findings) *node {
	g := &grower{file: file, found: found, made: map[*yaml.Node]*node{}}
	root := g.node(doc.Content[0], 1)
	if root.size > maxNodes || g.merged > maxNodes {
		found.add(startOf(file), "the file has more than %d values (aliased ones count at each use)", maxNodes)
		return nil
	}
	return root
}

func (g *grower) node(y *yaml.Node, depth int) *node {
	if y.Kind == yaml.AliasNode {
		return g.alias(y)
	}
	n := &node{at: place{g.file, y.Line, y.Column}, size: 1}
	if depth > maxDepth {
		g.found.add(n.at, "nested too deeply: more than %d levels", maxDepth)
		return n
	}
	if y.Anchor != "" {
		g.made[y] = nil
		defer func() { g.made[y] = n }()
	}
	switch y.Kind {
	case yaml.ScalarNode:
		g.scalar(n, y)
	case yaml.SequenceNode:
		g.list(n, y, depth)
	case yaml.MappingNode:
		g.mapping(n, y, depth)
	}
	return n
}

// alias returns the node that y stands for. Faults in it are told where it is
// written, which is where they can be mended.
func (g *grower) alias(y *yaml.Node) *node {
	if n := g.made[y.Alias]; n != nil {
		return n
	}
	at := place{g.file, y.Line, y.Column}
	g.found.add(at, "the alias *%s stands in its own value", shorten(y.Value))
	return &node{at: at, size: 1}
}

func (g *grower) scalar(n *node, y *yaml.Node) {
	n.shape, n.text, n.tag = shapeScalar, y.Value, y.ShortTag()
	switch n.tag {
	case "!!null":
		n.shape = shapeNone
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
	case "!!merge":
		n.tag = "!!str"
	default:
		g.badTag(n.at, y)
		n.tag = "!!str"
	}
}

func (g *grower) badTag(at place, y *yaml.Node) {
	g.found.add(at, "the YAML tag %q has no meaning here", shorten(y.ShortTag()))
}

func (g *grower) list(n *node, y *yaml.Node, depth int) {
	if y.ShortTag() != "!!seq" {
		g.badTag(n.at, y)
	}
	n.shape = shapeList
	n.items = make([]*node, 0, len(y.Content))
	for _, item := range y.Content {
		child := g.node(item, depth+1)
		n.items = append(n.items, child)
		n.grow(child)
	}
}

// grow counts a child, without going over the bound by more than one: the
// nodes that a few nested aliases stand for do not fit into an int.
func (n *node) grow(child *node) {
	n.size = min(n.size+child.size, maxNodes+1)
}

func (g *grower) mapping(n *node, y *yaml.Node, depth int) {
	if y.ShortTag() != "!!map" {
		g.badTag(n.at, y)
	}
	n.shape = shapeMapping
	n.fields = make([]field, 0, len(y.Content)/2)
	seen := make(map[string]place, len(y.Content)/2)
	var merges []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		isMerge := y.Content[i].ShortTag() == "!!merge"
		key, value := g.node(y.Content[i], depth+1), g.node(y.Content[i+1], depth+1)
		if key.shape != shapeScalar {
			g.found.add(key.at, "expected the name of a key, not %s", key.describe())
			continue
		}
		if first, taken := seen[key.text]; taken {
			g.found.add(key.at, "duplicate key %q, already set at %s", shorten(key.text), first)
			continue
		}
		seen[key.text] = key.at
		if isMerge {
			merges = append(merges, value)
			continue
		}
		n.fields = append(n.fields, field{key.text, key.at, value})
		n.grow(value)
	}
	for _, m := range merges {
		g.merge(n, m, seen)
	}
}

// merge adds the fields that from has and n has not (YAML merge key language
// type, 2005): what the mapping itself says wins, then the earlier of several.
func (g *grower) merge(n, from *node, seen map[string]place) {
	switch from.shape {
	case shapeMapping:
		g.mergeFields(n, from, seen)
	case shapeList:
		for _, item := range from.items {
			if g.merged++; g.merged > maxNodes {
				return
			}
			if item.shape != shapeMapping {
				g.found.add(item.at, "<<: expected mappings to merge, not %s", item.describe())
				continue
			}
			g.mergeFields(n, item, seen)
		}
	default:
		g.found.add(from.at, "<<: expected a mapping to merge, not %s", from.describe())
	}
}

func (g *grower) mergeFields(n, from *node, seen map[string]place) {
	if g.merged += len(from.fields); g.merged > maxNodes {
		return
	}
	for _, f := range from.fields {
		if _, taken := seen[f.key]; !taken {
			seen[f.key] = f.at
			n.fields = append(n.fields, f)
			n.grow(f.value)
		}
	}
}
