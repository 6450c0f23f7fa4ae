import type { LlmCharacter, LlmContent, LlmMessage, LlmRequest, LlmTool } from '../engine.js'
import { neutral } from './neutral.js'
import { scriptOf, type Match, type Script } from './script.js'
import { choose, fallback, nameIn, phrasesFor, repeat, replyFrom, type Talk } from './small-talk.js'
import { argumentsOf, fillArguments, guessArguments, withoutChoices } from './slots.js'
import { isQuestion, stemOf, wordsOf } from './words.js'

/** What comes out of a turn: a line to speak, or a tool to call. */
export type Thought =
  | { say: string }
  | { call: { name: string, arguments: Record<string, unknown> }, example: Match | undefined }

/** From here on an example is as good as meant. */
const SURE = 0.72
/** Below this it has too little to do with what was said. */
const LIKELY = 0.5

/** A first line that gets the character's own. */
const OPENING = /^\W*(?:hello|hi|hey|good (?:morning|afternoon|evening|day)|bonjour|bonsoir|salut)(?:\W+(?:there|all|you|everyone))?\W*$|\b(?:say (?:hello|hi)|greet (?:me|us|the user)|welcome (?:me|us|the user))\b/i

/** How a character is told that it goes on in another's place: it introduces itself, the first time. */
const HANDED_OVER = /^\[.+ hands the conversation over to you, /s

/** The whole of the demo brain: the same request always gets the same answer. */
export function think (request: LlmRequest): Thought {
  const messages = request.messages.filter(({ role }) => role !== 'system')
  const results = trailingResults(messages)
  if (results.length > 0) return { say: speakResult(request, messages, results) }

  const talk = listen(request.character ?? neutral, messages)
  const last = messages.at(-1)
  if (last === undefined) return { say: greetingOf(talk) }
  if (HANDED_OVER.test(talk.said)) {
    const greeting = greetingOf(talk)
    return { say: talk.spoken.includes(greeting) ? choose(talk.phrases.more, talk) ?? fallback(talk) : greeting }
  }
  const script = scriptOf(talk.character.examples)
  const called = chooseCall(request, script, talk)
  if (called !== undefined) return called
  if (last.role === 'assistant') return { say: choose(talk.phrases.more, talk) ?? fallback(talk) }
  return { say: chooseLine(last, script, talk) }
}

function chooseLine (last: LlmMessage, script: Script, talk: Talk): string {
  const { phrases, said, spoken } = talk
  if (wordsOf(said).length === 0) {
    const picture = typeof last.content !== 'string' && last.content.some(({ type }) => type === 'image')
    return choose(picture ? phrases.picture : phrases.silence, talk) ?? fallback(talk)
  }
  // A line that reports a tool's result cannot be spoken without one.
  const matches = script.find(said).filter(({ example }) => !example.character.includes('{result}'))
  const [best] = matches
  if (best !== undefined && best.score >= SURE) return best.example.character === spoken[0] ? repeat(talk) : best.example.character
  if (spoken.length === 0 && OPENING.test(said)) return greetingOf(talk)
  const personal = replyFrom(phrases.personal, talk)
  if (personal !== undefined) return personal
  const likely = matches.find(({ score, example }) => score >= LIKELY && example.character !== spoken[0])
  if (likely !== undefined) return likely.example.character
  return replyFrom([...phrases.courtesy, ...phrases.smallTalk], talk) ?? fallback(talk)
}

function chooseCall (request: LlmRequest, script: Script, talk: Talk): Thought | undefined {
  const { tools, toolChoice } = request
  const { said, phrases } = talk
  if (toolChoice === 'none' || tools.length === 0) return undefined
  const offered = new Map(tools.map(tool => [tool.name, tool]))
  const matches = said === '' ? [] : findCalls(script, said, tools)

  if (toolChoice === 'auto') {
    for (const match of matches) {
      if (match.score < LIKELY) break
      const call = callOf(match, said, offered)
      if (call !== undefined) return call
      // A plain answer that fits better than the next tool.
      if (match.example.tool === undefined) break
    }
    if (said === '' || (matches[0]?.score ?? 0) >= LIKELY) return undefined
    const named = toolNamedIn(said, tools, talk.character)
    if (named !== undefined) return { call: { name: named.name, arguments: guessArguments(named, said) }, example: undefined }
    // Whatever else was said is an answer, unless it is courtesy or a question.
    if (script.catchAll === undefined || replyFrom([...phrases.personal, ...phrases.courtesy], talk) !== undefined) return undefined
    return isQuestion(said) && !/^\W*(?:is|are)\b/i.test(said) && !/^\W*\w+(?:\W+\w+){0,2}\W*$/.test(said) ? undefined : callOf(script.catchAll, said, offered)
  }

  const wanted = toolChoice === 'required' ? undefined : offered.get(toolChoice.name)
  if (toolChoice !== 'required' && wanted === undefined) return undefined
  for (const match of matches) {
    const call = wanted === undefined || match.example.tool?.name === wanted.name ? callOf(match, said, offered) : undefined
    if (call !== undefined) return call
  }
  const tool = wanted ?? toolNamedIn(said, tools) ?? tools[0]!
  return { call: { name: tool.name, arguments: guessArguments(tool, said) }, example: undefined }
}

/** As the script finds them; examples with arguments also by what was said around the arguments. */
function findCalls (script: Script, said: string, tools: readonly LlmTool[]): Match[] {
  const matches = script.find(said)
  const around = withoutChoices(said, tools)
  if (around === '' || around === wordsOf(said).join(' ')) return matches
  const better = script.find(around).filter(({ slots }) => slots !== undefined && slots.literal !== '')
  return [...matches, ...better].sort((a, b) => b.score - a.score)
}

/** The call of an example, if its tool is offered and all that it needs was said. */
function callOf (match: Match, said: string, offered: Map<string, LlmTool>): Thought | undefined {
  const { example, slots, score } = match
  const tool = offered.get(example.tool?.name ?? '')
  if (tool === undefined) return undefined
  const values = score === 1 && !JSON.stringify(argumentsOf(example)).includes('{user}')
    ? argumentsOf(example)
    : fillArguments(example, slots, said, tool)
  return values === undefined ? undefined : { call: { name: tool.name, arguments: values }, example: match }
}

/** A tool all of whose name was said: get_weather in a sentence about the weather. */
function toolNamedIn (said: string, tools: readonly LlmTool[], character?: LlmCharacter): LlmTool | undefined {
  const stems = new Set(wordsOf(said).map(stemOf))
  const scripted = new Set(character?.examples.map(({ tool }) => tool?.name))
  return tools.find(({ name }) => {
    if (scripted.has(name)) return false
    const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/_/g, ' ')
    const telling = wordsOf(words).filter(word => !/^(get|set|find|fetch|look|up|lookup|search|current|tool|the|for|of|do|run|call|make|check|show|list)$/.test(word))
    return telling.length > 0 && telling.every(word => stems.has(stemOf(word)))
  })
}

/** The line of the example that called the tool, with the tool's text in it. */
function speakResult (request: LlmRequest, messages: readonly LlmMessage[], results: readonly string[]): string {
  const asked = messages.findLastIndex(({ role }) => role === 'user')
  const before = messages.slice(0, asked + 1)
  const character = request.character ?? neutral
  const result = results.map(readable).join(' ')
  const calls = messages.slice(asked + 1).flatMap(message => message.role === 'assistant' ? message.toolCalls ?? [] : [])
  // An error does not fit into a line that expects a success.
  const thought = asked === -1 || results.some(content => content.startsWith('Error: ')) ? undefined : chooseCall({ ...request, toolChoice: 'auto' }, scriptOf(character.examples), listen(character, before))
  if (thought === undefined || !('call' in thought) || thought.example === undefined || calls.at(-1)?.name !== thought.call.name) return result
  let line = thought.example.example.character
  for (const [name, value] of Object.entries(argumentsOf(thought.example.example))) {
    const actual = thought.call.arguments[name]
    if (typeof value === 'string' && typeof actual === 'string' && value !== '') line = line.replaceAll(value, () => actual)
  }
  return line.replaceAll('{result}', () => result)
}

function trailingResults (messages: readonly LlmMessage[]): string[] {
  const start = messages.findLastIndex(({ role }) => role !== 'tool') + 1
  return messages.slice(start).flatMap(message => message.role === 'tool' ? [message.content] : [])
}

/** A result as one would say it: the values of an object, not its braces. */
function readable (content: string): string {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch {
    // A tool's error is worded for the one who is to tell it.
    return content.replace(/^Error: /, '').trim()
  }
  if (Array.isArray(value)) return value.map(item => readable(JSON.stringify(item))).join(', ')
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value).map(([name, item]) => `${name.replace(/_/g, ' ')}: ${readable(JSON.stringify(item))}`).join(', ')
}

function listen (character: LlmCharacter, messages: readonly LlmMessage[]): Talk {
  const phrases = phrasesFor(character)
  const heard = messages.flatMap(message => message.role === 'user' ? [textOf(message.content)] : [])
  const spoken = messages.flatMap(message => message.role === 'assistant' && message.content !== '' ? [message.content] : []).reverse()
  return { character, phrases, said: heard.at(-1) ?? '', name: nameIn(heard, phrases), spoken, turn: heard.length }
}

function greetingOf (talk: Talk): string {
  return talk.character.greeting ?? choose([talk.phrases.greeting], talk) ?? ''
}

function textOf (content: LlmContent): string {
  const text = typeof content === 'string' ? content : content.flatMap(part => part.type === 'text' ? [part.text] : []).join(' ')
  return text.trim()
}
