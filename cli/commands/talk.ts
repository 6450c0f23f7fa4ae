import { createInterface } from 'node:readline'
import { CharacterRequestError, createCharacters, type Characters } from '../../lib/client/index.js'
import { defineCommand, fail } from '../command.js'
import type { RealtimeConnection } from '../realtime.js'
import { paint } from '../terminal.js'
import { CONNECT_HELP, connectOptions, withConnection } from '../with-connection.js'
import { writtenTurn } from '../turn.js'

export const command = defineCommand({
  help: `Chats with a character in writing. Answers appear as they are made.

  dramatis talk [NAME] [options]

${CONNECT_HELP}
  --json             a line of JSON for every answer

While it runs: /who lists the characters, /as NAME changes to another, /reload [DIR] loads the cast again,
/quit or Ctrl-D ends, Ctrl-C stops an answer. Without a terminal each line of the input is one turn.
`,
  options: { ...connectOptions, json: { type: 'boolean', default: false } },

  run ({ url, key, characters, json }, positionals) {
    const character = positionals.length === 0 ? undefined : positionals.join(' ')
    return withConnection({ url, key, character, characters, speech: false }, connection => talk(connection, json))
  }
})

async function talk (connection: RealtimeConnection, json: boolean): Promise<number> {
  const characters = createCharacters(connection)
  const updated = connection.next('session.updated')
  connection.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], character_tools: 'visible' } })
  let name = ((await updated).session as { character?: string | null }).character ?? null
  // A reload may select another one, too.
  connection.subscribe(({ type, session }) => {
    if (type === 'session.updated') name = (session as { character?: string | null }).character ?? null
  }, () => {})
  const isTerminal = process.stdin.isTTY === true && !json
  const lines = createInterface({ input: process.stdin, ...isTerminal ? { output: process.stdout } : {}, prompt: paint('cyan', 'you › ') })
  let gone: string | undefined
  connection.closed.then(reason => {
    gone = reason
    lines.close()
  })

  let answering = false
  lines.on('SIGINT', () => {
    if (answering) connection.send({ type: 'response.cancel' })
    else lines.close()
  })

  if (isTerminal) {
    process.stdout.write(paint('gray', '/who, /as NAME, /reload [DIR], /quit; Ctrl-C stops an answer\n'))
    await answer(null)
    lines.prompt()
  }
  for await (const line of lines) {
    const text = line.trim()
    if (text === '/quit') break
    if (text.startsWith('/')) await command(text)
    else if (text !== '') await answer(text)
    if (isTerminal) lines.prompt()
  }
  lines.close()
  if (gone === undefined) return 0
  return fail(`${isTerminal ? '\n' : ''}The server closed the connection: ${gone}.`)

  async function answer (text: string | null): Promise<void> {
    answering = true
    const speaker = name ?? 'assistant'
    if (!json) process.stdout.write(paint('magenta', `${speaker} › `))
    const turn = await writtenTurn(connection, text, {
      onText: delta => { if (!json) process.stdout.write(delta) },
      onTool: tool => { if (!json) process.stdout.write(paint('gray', `[${tool.name} ${tool.arguments} → ${tool.output}] `)) }
    })
    answering = false
    if (json) process.stdout.write(`${JSON.stringify({ character: name, user: text, ...turn })}\n`)
    else process.stdout.write(`${turn.error === null ? turn.status === 'completed' ? '' : paint('gray', ` (${turn.status})`) : paint('red', turn.error)}\n`)
  }

  async function command (text: string): Promise<void> {
    const [verb, ...rest] = text.slice(1).split(/\s+/)
    try {
      const told = await obey(verb!, rest.join(' '), characters)
      process.stdout.write(json ? `${JSON.stringify({ command: text, ...told.data })}\n` : `${told.text}\n`)
    } catch (error) {
      if (!(error instanceof CharacterRequestError)) throw error
      const details = error.errors.map(({ file, line, message }) => `\n  ${file}:${line ?? ''} ${message}`).join('')
      process.stdout.write(json ? `${JSON.stringify({ command: text, error: { code: error.code, message: error.message, details: error.errors } })}\n` : paint('red', `${error.message}${details}\n`))
    }
  }
}

async function obey (verb: string, argument: string, characters: Characters): Promise<{ text: string, data: object }> {
  switch (verb) {
    case 'who': {
      const data = await characters.list()
      return { data, text: data.characters.map(({ name, comment }) => `  ${name}${comment === null ? '' : paint('gray', `  ${comment}`)}`).join('\n') }
    }
    case 'as': {
      const { character } = await characters.select(argument === '' ? null : argument)
      return { data: { character }, text: paint('gray', character === null ? 'Nobody is selected.' : `Now it is ${character}.`) }
    }
    case 'reload': {
      const data = await characters.reload(argument === '' ? 'default' : argument)
      const errors = data.errors.map(({ file, line, code, message }) => paint('red', `\n  ${file}:${line ?? ''} ${code} ${message}`)).join('')
      return { data, text: `${paint('gray', `${data.loaded_count} of ${data.total_files} files of ${data.directory} in ${Math.round(data.duration_ms)} ms`)}${errors}` }
    }
    default:
      return { data: { error: 'unknown command' }, text: paint('gray', 'There are /who, /as NAME, /reload [DIR] and /quit.') }
  }
}
