/** A directory's cast as one file. */
import { closeSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { openInside } from './source.js'
import { packLimits, PackProblem, writeZip, type PackedFile } from './zip.js'

/** Files that are nobody's characters, nor what those import. */
const LEFT_OUT = /^(\..*|node_modules)$/

/**
 * All files of a directory and its folders, but for hidden ones and `node_modules`. The same files make the same
 * bytes. Throws a {@link PackProblem}.
 *
 * @param directory real path
 * @param except real path of a file to leave out
 */
export function packDirectory (directory: string, except?: string): { bytes: Buffer, files: string[] } {
  const files: PackedFile[] = []
  let total = 0
  const walk = (path: string, prefix: string, depth: number): void => {
    if (depth > packLimits.depth) throw new PackProblem(`${prefix} is nested deeper than ${packLimits.depth} folders`)
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name)
      if (LEFT_OUT.test(entry.name) || inside === except) continue
      const name = `${prefix}${entry.name}`
      if (entry.isSymbolicLink()) throw new PackProblem(`${name} is a link: put what it leads to in its place`)
      if (entry.isDirectory()) walk(inside, `${name}/`, depth + 1)
      else if (entry.isFile()) {
        const bytes = read(inside, directory)
        total += bytes.length
        files.push({ name, bytes })
        if (files.length > packLimits.files) throw new PackProblem(`it has more than ${packLimits.files} files`)
        if (total > packLimits.fileBytes) throw new PackProblem(`it has more than ${packLimits.fileBytes} bytes`)
      }
    }
  }
  walk(realpathSync(directory), '', 0)
  return { bytes: writeZip(files), files: files.map(({ name }) => name).sort() }
}

function read (path: string, root: string): Buffer {
  const opened = openInside(path, root)
  if (opened === undefined) throw new PackProblem(`${path} went away while it was read`)
  try {
    return readFileSync(opened.descriptor)
  } finally {
    closeSync(opened.descriptor)
  }
}
