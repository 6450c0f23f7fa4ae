import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import type { LoadedCharacter } from '../../lib/characters/loaded-character.js'
import { createDemoLlm } from '../../lib/engines/demo/llm.js'
import type { LlmMessage, LlmRequest } from '../../lib/engines/engine.js'
import { fliteVoices } from '../../lib/engines/local/voices.js'

const directory = fileURLToPath(new URL('../../characters', import.meta.url))
const library = createCharacterLibrary({ directory, limits: { syncMs: 10_000, loadMs: 10_000 } })
t.teardown(() => library.close())

const never = new AbortController().signal
const llm = createDemoLlm()
let sessions = 0

/** A fresh cast, as a new session gets it. */
async function openCast () {
  const registry = await library.open({ id: `sess_${++sessions}`, startedAt: new Date(Date.now() - 125_000), language: 'en' })
  const cast = registry.names().map(name => registry.find(name)!)
  return { registry, cast, named: (name: string) => registry.find(name)! }
}

/** The demo brain's answer, with its tool calls run by the character, and the calls it made. */
async function converse (character: LoadedCharacter, messages: LlmMessage[]) {
  const calls: { name: string, arguments: unknown, result: unknown }[] = []
  for (;;) {
    const request: LlmRequest = {
      messages,
      tools: [...character.tools],
      toolChoice: 'auto',
      character: { name: character.name, greeting: character.greeting, examples: character.examples ?? [] }
    }
    let text = ''
    let call: { id: string, name: string, arguments: string } | undefined
    for await (const event of llm.generate(request, { signal: never })) {
      if (event.type === 'text') text += event.delta
      else if (event.type === 'tool_call') call = { id: event.id, name: event.name, arguments: '' }
      else if (event.type === 'tool_arguments') call!.arguments += event.delta
    }
    if (call === undefined) return { text, calls }
    const args: unknown = JSON.parse(call.arguments)
    const result = await character.runTool(call.name, args, never)
    calls.push({ name: call.name, arguments: args, result })
    messages.push({ role: 'assistant', content: '', toolCalls: [call] }, { role: 'tool', callId: call.id, content: String(result) })
  }
}

const say = (character: LoadedCharacter, line: string) => converse(character, [{ role: 'user', content: line }])

t.test('every file of the cast loads, nine or more', async t => {
  const { registry, cast } = await openCast()
  t.same(registry.report.errors, [])
  t.equal(registry.report.total_files, cast.length)
  t.ok(cast.length >= 9)
})

t.test('the host comes first, and knows about the demo brain', async t => {
  const { registry } = await openCast()
  t.equal(registry.first()?.name, 'Wren')
  t.match((await say(registry.first()!, 'Are you a real language model?')).text, /demo brain/)
})

t.test('the cast shows each use of the format', async t => {
  const { cast } = await openCast()
  t.ok(cast.some(({ instructions }) => instructions.language === 'fr'))
  t.ok(cast.some(({ metadata }) => metadata?.good === false))
  t.ok(cast.some(({ temperature }) => temperature !== undefined))
  t.ok(cast.some(({ tts }) => tts?.speed !== undefined))
  t.ok(cast.some(({ greeting }) => greeting === undefined))
  t.ok(cast.filter(({ tools }) => tools.length > 0).length >= 4)
})

t.test('no two sound alike on the local engine, and all have a voice on both', async t => {
  const { cast } = await openCast()
  const local = cast.map(({ voice }) => voice.engines?.local ?? '')
  t.ok(local.every(name => name in fliteVoices), local.join(' '))
  t.equal(new Set(local).size, cast.length)
  t.equal(new Set(cast.map(({ voice }) => voice.path)).size, cast.length)
  t.ok(cast.every(({ voice }) => voice.engines?.openai !== undefined))
})

t.test('what they say is made to be spoken: no markdown, emoji or figures, and not too long', async t => {
  const { cast } = await openCast()
  for (const { name, greeting, examples = [] } of cast) {
    for (const line of [greeting ?? '', ...examples.map(({ character }) => character)]) {
      t.notMatch(line, /[*_#`[\]<>~|]|\p{Extended_Pictographic}|\d|https?:/u, `${name}: ${line}`)
      t.ok(line.split(' ').length <= 40, `${name}: ${line}`)
    }
  }
})

t.test('each has eight examples or more, no question twice, and names only tools that it has', async t => {
  const { cast } = await openCast()
  for (const { name, examples = [], tools } of cast) {
    t.ok(examples.length >= 8, name)
    t.equal(new Set(examples.map(({ user }) => user.toLowerCase())).size, examples.length, name)
    for (const { tool } of examples) if (tool !== undefined) t.ok(tools.some(({ name }) => name === tool.name), `${name}: ${tool.name}`)
  }
})

t.test('each prompt is about its character, and made anew for each session', async t => {
  const { cast } = await openCast()
  for (const character of cast) {
    const prompt = await character.systemPrompt(never)
    t.ok(prompt.startsWith(character.instructions.prompt), character.name)
  }
})

t.test('the demo brain answers every example\'s question with that example, its tools run for real', async t => {
  const { cast } = await openCast()
  for (const character of cast) {
    for (const { user, character: line, tool } of character.examples ?? []) {
      const { text, calls } = await say(character, user)
      if (tool === undefined) {
        t.equal(text, line, `${character.name}: ${user}`)
      } else {
        t.match(calls, [{ name: tool.name, arguments: tool.arguments ?? {} }], `${character.name}: ${user}`)
        t.equal(text, line.replace('{result}', String(calls[0]?.result)), `${character.name}: ${user}`)
      }
      t.notMatch(text, /[{}]|undefined|NaN/, `${character.name}: ${text}`)
    }
  }
})

t.test('the quiz keeps score, each session its own', async t => {
  const [one, other] = await Promise.all([openCast(), openCast()])
  await say(one.named('Magnus'), 'Ask me a question.')
  t.match((await say(one.named('Magnus'), 'I think it is Saturn')).text, /one right out of one/)
  t.match((await say(one.named('Magnus'), 'five')).text, /one right out of two/)
  t.match((await say(other.named('Magnus'), 'What is my score?')).text, /not answered anything/)
})

t.test('the shop adds up what was asked for in other words', async t => {
  const { named } = await openCast()
  await say(named('Marlow'), 'Hi, I\'d like a dozen lemons please')
  await say(named('Marlow'), 'could I have two jars of honey')
  t.match((await say(named('Marlow'), 'what\'s the total?')).text, /twelve lemons, two jars of honey\. That makes forty pennies\./)
  t.match((await say(named('Marlow'), 'I want to pay now')).text, /^Forty it is/)
})

t.test('the story goes where the listener decides', async t => {
  const { named } = await openCast()
  await say(named('Lucan'), 'Please tell me a story')
  t.match((await say(named('Lucan'), 'up the hill, I think')).text, /old tower/)
  t.match((await say(named('Lucan'), 'purple')).text, /not one of the ways/)
  t.match((await say(named('Lucan'), 'let me climb to the stars')).text, /smallest star.*one ending/)
})

t.test('the log of the lighthouse keeps what was dictated', async t => {
  const { named } = await openCast()
  await say(named('Angus'), 'please write down that I have to call my aunt')
  t.match((await say(named('Angus'), 'what\'s in the log')).text, /one entry: I have to call my aunt\./)
})

t.test('the clockmaker knows how long the conversation has lasted', async t => {
  const { named } = await openCast()
  t.match((await say(named('Tobias'), 'how long have we been talking')).text, /two minutes and \w+ seconds/)
})

t.test('a character without a greeting still begins, and one with it begins with it', async t => {
  const { cast } = await openCast()
  for (const character of cast) {
    const { text } = await converse(character, [])
    if (character.greeting !== undefined) t.equal(text, character.greeting)
    else t.match(text, new RegExp(character.name))
  }
})

t.test('the files name nobody outside of the cast\'s street', async t => {
  const { cast } = await openCast()
  const street = readFileSync(`${directory}/resources/street.ts`, 'utf8')
  for (const { name, metadata } of cast) {
    if (metadata?.good !== false) t.ok(street.includes(`'${name}'`), name)
  }
})
