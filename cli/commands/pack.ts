import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { packDirectory } from '../../lib/characters/pack.js'
import type { LoadReport } from '../../lib/characters/registry.js'
import { PACK_EXTENSION } from '../../lib/characters/roots.js'
import { PackProblem } from '../../lib/characters/zip.js'
import { defineCommand, fail, UsageError } from '../command.js'
import { paint } from '../terminal.js'
import { writeWhole } from '../write-whole.js'

export const command = defineCommand({
  help: `Packs a cast into one file, which can stand wherever a directory of characters can.

  dramatis pack DIR OUT${PACK_EXTENSION} [options]

  --force   write over OUT
  --json    for machines

All files go in, with those of folders, but for hidden ones and node_modules. The same files make the same bytes. Nothing is written
if a character does not load from what is packed: one that imports from outside of DIR cannot.
`,
  options: {
    force: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  },

  async run ({ force, json }, [directory, out, ...rest]) {
    if (directory === undefined || out === undefined || rest.length > 0) throw new UsageError('Which directory is to be packed into which file? Give DIR and OUT.')
    if (!out.endsWith(PACK_EXTENSION)) throw new UsageError(`OUT must end in ${PACK_EXTENSION}, not '${basename(out)}'.`)
    if (!(await stat(directory).catch(() => null))?.isDirectory()) return fail(`${directory} is not a directory.`)
    const there = await stat(out).catch(() => null)
    if (there !== null && !force) return fail(`${out} is there already: give another name, or --force.`)
    let packed: ReturnType<typeof packDirectory>
    try {
      packed = packDirectory(await realpath(directory), there === null ? undefined : await realpath(out))
    } catch (error) {
      if (error instanceof PackProblem) return fail(`${directory} cannot be packed: ${error.message}.`)
      throw error
    }
    const report = await load(packed.bytes)
    if (report.error_count > 0 || report.loaded_count === 0) {
      if (json) process.stdout.write(`${JSON.stringify({ ...report, directory, out: null })}\n`)
      const lines = report.errors.map(({ file, line, message }) => `${paint('red', '✖')} ${file}${line === null ? '' : `:${line}`}  ${message}\n`)
      return fail(`${lines.join('')}Nothing was packed: ${report.loaded_count === 0 ? `${directory} has no valid character` : 'every file has to be a character'}.`)
    }
    const fault = await writeWhole(out, packed.bytes, force)
    if (fault !== undefined) return fail(fault)
    const { version, loaded_count: count } = report
    process.stdout.write(json
      ? `${JSON.stringify({ directory, out, bytes: packed.bytes.length, files: packed.files, version, characters: report.characters })}\n`
      : `Wrote ${out}: ${count} character${count === 1 ? '' : 's'} in ${packed.files.length} files, ${packed.bytes.length} bytes, version ${version}.\n`)
    return 0
  }
})

/** As a server would. */
async function load (bytes: Buffer): Promise<LoadReport & { version: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'dramatis-pack-'))
  const file = join(folder, `cast${PACK_EXTENSION}`)
  try {
    await writeFile(file, bytes)
    const library = createCharacterLibrary({ directory: file })
    try {
      const registry = await library.open({ id: 'pack', startedAt: new Date(), language: null })
      const { report, version } = registry
      await registry.purge()
      return { ...report, version }
    } finally {
      await library.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
