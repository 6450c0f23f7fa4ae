const HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"')
const TAIL = Buffer.from('"}')

/**
 * The base64 of an `input_audio_buffer.append` in the form that clients write by far most often, or null.
 * These are nearly all frames of a live session, and reading JSON would cost more than the rest of the
 * work on them. What comes out is sure to be the `audio` field only if it is valid base64: it then has no
 * character that means something in JSON. If it is not, the frame has to be parsed after all.
 */
export function appendedAudio (frame: Buffer): string | null {
  const end = frame.length - TAIL.length
  if (end < HEAD.length || HEAD.compare(frame, 0, HEAD.length) !== 0 || TAIL.compare(frame, end) !== 0) return null
  return frame.toString('latin1', HEAD.length, end)
}
