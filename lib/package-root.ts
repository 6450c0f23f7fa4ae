import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own folder, whether this runs from source or from `dist`. */
export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)))

/** Version of this package. */
export const packageVersion: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version

/** The cast that is shipped, always as source. */
export const packagedCharacters = join(packageRoot, 'characters')

function findRoot (directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : findRoot(dirname(directory))
}
