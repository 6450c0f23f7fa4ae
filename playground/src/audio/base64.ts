// The protocol's audio: 16-bit little-endian samples as base64. Computers with a browser are little-endian.

export function encode (samples: Int16Array): string {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
  let text = ''
  // Not all at once: the number of arguments is limited.
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096))
  return btoa(text)
}

export function decode (base64: string): Int16Array {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length & ~1)
  for (let index = 0; index < bytes.length; index++) bytes[index] = text.charCodeAt(index)
  return new Int16Array(bytes.buffer)
}
