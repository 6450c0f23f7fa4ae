import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import type { FileError } from '../../lib/characters/fault.js'
import type { LoadReport } from '../../lib/characters/registry.js'
import { PACK_EXTENSION } from '../../lib/characters/roots.js'
import { RealtimeError } from '../../lib/errors.js'
import { codeFrame } from '../code-frame.js'
import { defineCommand, fail, UsageError } from '../command.js'
import { paint } from '../terminal.js'

export const command = defineCommand({
  help: `Loads the characters of a directory as a session would, and says what is wrong with each file.

  dramatis check DIR [DIR...] [options]      DIR may be a packed cast (${PACK_EXTENSION})

  --root DIR     up to where files may import (default: the directory itself)
  --no-prompts   do not call systemPrompt of the characters that load
  --json         for machines

Ends with 0 if every file is a character, with 1 if one is not.
`,
  options: {
    root: { type: 'string' },
    'no-prompts': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  },

  async run ({ root, json, 'no-prompts': noPrompts }, directories) {
    if (directories.length === 0) throw new UsageError('Which directory is to be checked?')
    const reports: LoadReport[] = []
    for (const directory of directories) {
      const path = resolve(directory)
      const there = await stat(path).catch(() => null)
      if (!there?.isDirectory() && !(there?.isFile() === true && path.endsWith(PACK_EXTENSION))) return fail(`${directory} is not a directory, nor a packed cast.`)
      const report = await check(path, root === undefined ? path : resolve(root), !noPrompts).catch(error => {
        if (error instanceof RealtimeError) return error
        throw error
      })
      if (report instanceof RealtimeError) return fail(`${directory}: ${report.message}`)
      reports.push({ ...report, directory })
      if (!json) process.stdout.write(await describe(directory, path, report))
    }
    if (json) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
    return reports.every(report => report.error_count === 0 && report.loaded_count > 0) ? 0 : 1
  }
})

async function check (path: string, root: string, prompts: boolean): Promise<LoadReport> {
  const library = createCharacterLibrary({ directory: root })
  try {
    const registry = await library.open({ id: 'check', startedAt: new Date(), language: null }, path)
    const { report } = registry
    const errors = [...report.errors]
    if (prompts) {
      // All at once: calls that come one after another are gathered, and each would wait for that.
      const called = await Promise.all(registry.names().map(async name => {
        const character = registry.find(name)!
        return await character.systemPrompt(AbortSignal.timeout(10_000)).then(() => [], (error: Error) => [promptError(character.file, error)])
      }))
      errors.push(...called.flat())
    }
    await registry.purge()
    return { ...report, errors, error_count: errors.length }
  } finally {
    await library.close()
  }
}

/** Calls tell their place only in words: ` (file:line:column)` or `file:line:column` somewhere in the message. */
function promptError (file: string, error: Error): FileError {
  const [, line, column] = /:(\d+):(\d+)\)?/.exec(error.message) ?? []
  const code = error instanceof RealtimeError ? error.code as FileError['code'] : 'execution_error'
  return { file, line: line === undefined ? null : Number(line), column: column === undefined ? null : Number(column), code, message: error.message }
}

async function describe (directory: string, path: string, { characters, errors, duration_ms: ms }: LoadReport): Promise<string> {
  let text = characters.map(({ name, comment }) => `${paint('green', '✔')} ${name}${comment === null ? '' : paint('gray', `  ${comment}`)}\n`).join('')
  for (const { file, line, column, code, message } of errors) {
    const place = [file, line, column].filter(part => part !== null).join(':')
    text += `${paint('red', '✖')} ${paint('bold', join(directory, place))}  ${paint('yellow', code)}\n  ${message.replaceAll('\n', '\n  ')}\n`
    const source = line === null ? null : await readFile(join(path, file), 'utf8').catch(() => null)
    if (source !== null) text += `${codeFrame(source, line!, column)}\n`
  }
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
  return `${text}${count(characters.length, 'character')}, ${count(errors.length, 'error')} in ${directory} (${Math.round(ms)} ms)\n`
}
