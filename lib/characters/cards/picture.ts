/** Pictures of characters: a file, a file in an archive, or bytes in a card. Read only when somebody asks. */
import { closeSync } from 'node:fs'
import { openInside } from '../source.js'
import { readAt } from './files.js'
import { readFromCharx } from './charx.js'
import { cardLimits } from './problem.js'
import type { CardPicture } from './card.js'

/** Where a picture is. Paths are real ones. */
export type Picture =
  | { readonly file: string, readonly root: string, readonly member?: string }
  | { readonly base64: string }

export function locatePicture (picture: CardPicture | undefined, file: string, root: string): Picture | undefined {
  switch (picture?.kind) {
    case 'file': return { file, root }
    case 'member': return { file, root, member: picture.path }
    case 'data': return { base64: picture.base64 }
  }
  return undefined
}

/** The bytes, and the type that they show; undefined if it is gone, too large, or no picture that browsers know. */
export async function readPicture (picture: Picture): Promise<{ type: string, bytes: Buffer } | undefined> {
  const bytes = await readBytes(picture).catch(() => undefined)
  const type = bytes === undefined ? undefined : typeOf(bytes)
  return type === undefined ? undefined : { type, bytes: bytes! }
}

async function readBytes (picture: Picture): Promise<Buffer | undefined> {
  if ('base64' in picture) return Buffer.from(picture.base64, 'base64')
  const opened = openInside(picture.file, picture.root)
  if (opened === undefined) return undefined
  try {
    if (picture.member !== undefined) return await readFromCharx(opened.descriptor, picture.member, cardLimits.pictureBytes)
    return opened.stamp.size > cardLimits.pictureBytes ? undefined : readAt(opened.descriptor, 0, opened.stamp.size)
  } finally {
    closeSync(opened.descriptor)
  }
}

/** By its first bytes: what a file says of itself is not to be trusted, and SVG can carry code. */
function typeOf (bytes: Buffer): string | undefined {
  const start = bytes.toString('latin1', 0, 12)
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (start.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (start.startsWith('GIF8')) return 'image/gif'
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return 'image/webp'
  if (start.slice(4).startsWith('ftypavif')) return 'image/avif'
  return undefined
}
