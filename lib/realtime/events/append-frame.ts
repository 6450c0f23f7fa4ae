const HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"')
const TAIL = Buffer.from('"}')

const QUOTE = 34
const BACKSLASH = 92

/**
 * How long the base64 of an `input_audio_buffer.append` is, in the form that clients write by far most
 * often; null for any other frame. These are nearly all frames of a live session, and reading JSON would cost
 * more than the rest of the work on them. What lies between is sure to be the `audio` field only if it is
 * valid base64: it then has no character that means something in JSON. If it is not, the frame has to be
 * parsed after all.
 */
export function appendedLength (frame: Buffer): number | null {
  const end = frame.length - TAIL.length
  if (end < HEAD.length || HEAD.compare(frame, 0, HEAD.length) !== 0 || TAIL.compare(frame, end) !== 0) return null
  return end - HEAD.length
}

/** The base64 of such a frame. */
export function appendedAudio (frame: Buffer): string {
  return frame.toString('latin1', HEAD.length, frame.length - TAIL.length)
}

/** Whether nothing but the `audio` field can be in such a frame, be it base64 or not. */
export function isPlainAppend (frame: Buffer): boolean {
  return frame.indexOf(QUOTE, HEAD.length) === frame.length - TAIL.length && !frame.includes(BACKSLASH, HEAD.length)
}
