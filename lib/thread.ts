import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * URL of a worker's entry file that stands beside the calling module.
 *
 * @param base the caller's `import.meta.url`
 * @param name file name without extension
 *
 * Node starts workers by file name, with no mapping of `.js` to `.ts`: the entry has the extension
 * of the module that asks, `.ts` when running from source and `.js` when built.
 */
export function threadUrl (base: string, name: string): URL {
  return new URL(`./${name}${extname(fileURLToPath(base))}`, base)
}
