#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { packageVersion } from '../lib/package-root.js'
import { UsageError, type Command, type CommandOptions } from './command.js'

// A command is loaded when it is asked for: `check` must not wait for a web server.
const commands: Record<string, { summary: string, load: () => Promise<{ command: Command<any> }> }> = {
  start: { summary: 'run the server (also what `dramatis` alone does)', load: () => import('./commands/start.js') },
  check: { summary: 'check the characters of a directory', load: () => import('./commands/check.js') },
  new: { summary: 'write a character to begin with', load: () => import('./commands/new.js') },
  convert: { summary: 'make a card of a character, or a character of a card', load: () => import('./commands/convert.js') },
  pack: { summary: 'pack a cast into one file', load: () => import('./commands/pack.js') },
  talk: { summary: 'chat with a character in writing', load: () => import('./commands/talk.js') },
  say: { summary: 'speak one turn from a WAV file, keep the answer', load: () => import('./commands/say.js') },
  load: { summary: 'load a Realtime server with sessions that speak', load: () => import('./commands/load.js') }
}

const HELP = `A server for the OpenAI Realtime protocol, in which every session brings its own cast of characters.

  dramatis [command] [options]

${Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`).join('\n')}

  dramatis COMMAND --help tells more of a command; --version tells the version.
`

process.exitCode = await main(process.argv.slice(2))

/** Resolves with the exit code: 0, 1 if what was asked for went wrong, 2 if it was asked for wrongly. */
async function main ([first = 'start', ...rest]: string[]): Promise<number> {
  if (first === '--help' || first === '-h' || first === 'help') return print(HELP)
  if (first === '--version' || first === '-v') return print(`${packageVersion}\n`)
  // Options without a command are those of the server.
  const [name, args] = first.startsWith('-') ? ['start', [first, ...rest]] : [first, rest]
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) return complain(`There is no command '${name}'.`, HELP)
  const { command } = await entry.load()
  try {
    const options: CommandOptions = { ...command.options, help: { type: 'boolean', short: 'h' } }
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    if (values.help === true) return print(command.help)
    return await command.run(values as Record<string, string | boolean>, positionals)
  } catch (error) {
    if (error instanceof UsageError || isParseError(error)) return complain((error as Error).message, command.help)
    throw error
  }
}

function isParseError (error: unknown): boolean {
  return String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
}

function print (text: string): number {
  process.stdout.write(text)
  return 0
}

function complain (message: string, help: string): number {
  process.stderr.write(`${message}\n\n${help}`)
  return 2
}
