import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packageRoot } from './package-root.js'

/** What `npm run build` makes of `playground/`. */
export const packagedPages = join(packageRoot, 'dist', 'playground')

export interface PageFile {
  body: Buffer
  /** The same, smaller. */
  gzip: Buffer
  type: string
  etag: string
  /** Its name changes with its content: it may be kept for good. */
  immutable: boolean
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/**
 * What the pages may do: load files of this server, and talk to it; draw pictures that they fetched with a key. Nothing from any
 * other host, nothing inline, in nobody's frame.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'", "worker-src 'self'",
  "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"
].join('; ')

/** All files of a build, in memory: there are few, and they are small. Empty if there is no build. Keys have no leading slash. */
export function readPages (directory = packagedPages): Map<string, PageFile> {
  let names: string[]
  try {
    names = readdirSync(directory, { recursive: true }) as string[]
  } catch {
    return new Map()
  }
  const known = names.filter(name => extname(name) in TYPES)
  return new Map(known.map(name => {
    const body = readFileSync(join(directory, name))
    return [name.replaceAll('\\', '/'), {
      body,
      gzip: gzipSync(body, { level: 9 }),
      type: TYPES[extname(name)]!,
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      immutable: /^playground[\\/]/.test(name)
    }]
  }))
}
