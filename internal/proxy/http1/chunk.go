package http1

import "math"

const (
	// maxChunkDigits bounds a chunk size, leading zeros counted.
	maxChunkDigits = 16
	// maxExtension bounds the extensions of one chunk, in bytes.
	maxExtension = 1024
)

// A ChunkReader finds the data in a chunked body (RFC 9112 §7.1), strictly. It
// may be stopped at every byte. The zero value is ready to use and sets no
// bound on trailers.
type ChunkReader struct {
	state     chunkState
	left      int64 // of the chunk's size while it is read, then of its data
	digits    int   // of the chunk size
	extension int   // bytes of the chunk's extensions
	place     extensionState
	trailers  trailers
}

// chunkState is what the next byte belongs to.
type chunkState uint8

const (
	chunkStart chunkState = iota // the first digit of a size
	chunkSize                    // the size, or what comes after it
	chunkExtension
	chunkLF      // the LF after the size
	chunkData    // data
	chunkDataCR  // the CR after the data
	chunkDataLF  // the LF after the data
	chunkTrailer // the trailer section
	chunkDone
)

// Reset makes c ready for another body. lim bounds the trailer section;
// MaxTarget has no meaning.
func (c *ChunkReader) Reset(lim Limits) {
	c.state, c.left, c.digits, c.extension = chunkStart, 0, 0, 0
	c.trailers.reset(lim)
}

// Next looks at buf, which begins where the last call left off. It returns how
// many bytes of framing to skip, then how many bytes of data follow in buf. It
// takes both as consumed: the next call is to be given what comes after them.
// Unless done, more bytes are needed when nothing does. done means that the
// body has ended with its trailers, and what comes after skip is not part of
// it. Errors are *Error with the status that a client deserves.
func (c *ChunkReader) Next(buf []byte) (skip, data int, done bool, err error) {
	for skip < len(buf) {
		switch c.state {
		case chunkData:
			data = int(min(c.left, int64(len(buf)-skip)))
			c.left -= int64(data)
			if c.left == 0 {
				c.state = chunkDataCR
			}
			return skip, data, false, nil
		case chunkTrailer:
			n, end, e := c.trailers.read(buf[skip:])
			if e != nil {
				return 0, 0, false, e
			}
			skip += n
			if end {
				c.state = chunkDone
			}
		case chunkDone:
			return skip, 0, true, nil
		default:
			if e := c.step(buf[skip]); e != nil {
				return 0, 0, false, e
			}
			skip++
		}
	}
	return skip, 0, c.state == chunkDone, nil
}

// Remaining is the number of bytes of the current chunk that are still to
// come, after the data that Next has returned.
func (c *ChunkReader) Remaining() int64 {
	if c.state != chunkData {
		return 0
	}
	return c.left
}

// Trailers are the fields of the trailer section, without those that must not
// be there (RFC 9110 §6.5.1). They are complete after done, and are in memory
// of c, valid until Reset.
func (c *ChunkReader) Trailers() []Field {
	return c.trailers.fields
}

// step takes one byte of framing.
func (c *ChunkReader) step(b byte) *Error {
	switch c.state {
	case chunkStart, chunkSize:
		return c.stepSize(b)
	case chunkExtension:
		return c.stepExtension(b)
	case chunkLF:
		if b != '\n' {
			return errChunkLine
		}
		c.state = chunkData
		if c.left == 0 {
			c.state = chunkTrailer
		}
	case chunkDataCR:
		if b != '\r' {
			return errChunkEnd
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return errChunkEnd
		}
		c.state, c.digits = chunkStart, 0
	}
	return nil
}

// stepSize takes a byte of the chunk size, or the one that ends it.
func (c *ChunkReader) stepSize(b byte) *Error {
	if class[b]&isHex != 0 {
		c.state = chunkSize
		c.digits++
		if c.digits > maxChunkDigits || c.left > math.MaxInt64>>4 {
			return errChunkLarge
		}
		c.left = c.left<<4 | int64(hexValue(b))
		return nil
	}
	if c.state == chunkStart {
		return errChunkSize
	}
	switch b {
	case '\r':
		c.state = chunkLF
		return nil
	case ';', ' ', '\t':
		c.state, c.extension, c.place = chunkExtension, 0, extSemi
		return c.stepExtension(b)
	case '\n':
		return errChunkLine
	}
	return errChunkSize
}

func hexValue(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return (b | 0x20) - 'a' + 10
}
