package http1

// The extensions of a chunk (RFC 9112 §7.1.1) mean nothing to anybody but the
// next hop, and are dropped. They are still read to the letter: a recipient
// that finds the end of the line elsewhere than another takes data for
// messages.
//
//	chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )

// extensionState is the place in that grammar.
type extensionState uint8

const (
	extBad      extensionState = iota
	extSemi                    // after white space: only ";" goes on
	extName0                   // before the first byte of a name
	extName                    // in a name
	extNameEnd                 // after a name and white space
	extValue0                  // before the first byte of a value
	extToken                   // in a token
	extQuoted                  // in a quoted string
	extEscape                  // after a backslash in it
	extValueEnd                // after the closing quote
	extEnd                     // the CR has come
	extStates
)

// extensionClass is what a byte is to the grammar.
type extensionClass uint8

const (
	extOther  extensionClass = iota // a control character
	extTchar                        // of a token
	extText                         // of a quoted string only
	extSpace                        // SP, HTAB
	extColon                        // ;
	extEquals                       // =
	extQuote                        // "
	extSlash                        // \
	extCR
	extClasses
)

// extensionSteps is the grammar: where a byte leads to. What is not here is
// extBad.
var extensionSteps = [extStates][extClasses]extensionState{
	extSemi:     {extSpace: extSemi, extColon: extName0},
	extName0:    {extSpace: extName0, extTchar: extName},
	extName:     {extTchar: extName, extSpace: extNameEnd, extEquals: extValue0, extColon: extName0, extCR: extEnd},
	extNameEnd:  {extSpace: extNameEnd, extEquals: extValue0, extColon: extName0},
	extValue0:   {extSpace: extValue0, extTchar: extToken, extQuote: extQuoted},
	extToken:    {extTchar: extToken, extSpace: extSemi, extColon: extName0, extCR: extEnd},
	extQuoted:   {extTchar: extQuoted, extText: extQuoted, extSpace: extQuoted, extColon: extQuoted, extEquals: extQuoted, extQuote: extValueEnd, extSlash: extEscape},
	extEscape:   {extTchar: extQuoted, extText: extQuoted, extSpace: extQuoted, extColon: extQuoted, extEquals: extQuoted, extQuote: extQuoted, extSlash: extQuoted},
	extValueEnd: {extSpace: extSemi, extColon: extName0, extCR: extEnd},
}

func extensionClassOf(b byte) extensionClass {
	switch b {
	case ' ', '\t':
		return extSpace
	case ';':
		return extColon
	case '=':
		return extEquals
	case '"':
		return extQuote
	case '\\':
		return extSlash
	case '\r':
		return extCR
	}
	switch {
	case class[b]&isToken != 0:
		return extTchar
	case class[b]&isValue != 0:
		return extText
	}
	return extOther
}

func (c *ChunkReader) stepExtension(b byte) *Error {
	c.extension++
	if c.extension > maxExtension {
		return errChunkExtLong
	}
	c.place = extensionSteps[c.place][extensionClassOf(b)]
	switch c.place {
	case extBad:
		return errChunkExt
	case extEnd:
		c.state = chunkLF
	}
	return nil
}
