import type { History, LoadedCharacter, Note, Spoken } from '../characters/loaded-character.js'
import type { LlmContentPart, LlmMessage } from '../engines/engine.js'
import type { Item } from './events/items.js'

const DEFAULT_PROMPT = 'You are a helpful, friendly voice assistant. Answer in one to three short spoken sentences, in the language you are addressed in, without markdown, lists or emoji.'
/** Some models want to be addressed before they say anything. */
const GO_AHEAD = 'Go ahead.'
const OPEN_CONVERSATION = 'The conversation begins now. Say hello, in one or two sentences.'

export interface Prompt { system: string, notes: readonly Note[] }

/** What the model is told besides the conversation: the character first, then the client's instructions. */
export async function makePrompt (character: LoadedCharacter | null, instructions: string, signal: AbortSignal, history: History): Promise<Prompt> {
  let system: string | undefined
  let notes: readonly Note[] = []
  const add = (part: string) => { system = system === undefined ? part : `${system}\n\n${part}` }
  if (character !== null) {
    const prompt = await character.prompt(signal, history)
    add(prompt.system)
    notes = prompt.notes
    let examples = ''
    for (const { user, character: answer } of prompt.examples) {
      // A line with the result of a tool has none to show here, and the model must not learn to say the placeholder.
      if (!answer.includes('{result}')) examples += `\n\nUser: ${user}\n${character.name}: ${answer}`
    }
    if (examples !== '') add(`This is how ${character.name} talks:${examples}`)
  }
  if (instructions.trim() !== '') add(instructions)
  return { system: system ?? DEFAULT_PROMPT, notes }
}

/** What was said, for characters that look for words in it. */
export function spokenIn (items: readonly Item[]): Spoken[] {
  return items.flatMap(item => {
    if (item.type !== 'message' || item.role === 'system') return []
    const text = textOf(item)
    return text === '' ? [] : [{ role: item.role, text, key: item }]
  })
}

/** Puts notes at their depth, counted in messages from the end. Calls and their results are not torn apart. */
export function placeNotes (messages: LlmMessage[], notes: readonly Note[]): LlmMessage[] {
  if (notes.length === 0) return messages
  const placed = [...messages]
  // The deepest first: what is put in later comes behind it, and changes no place before.
  for (const { depth, role, text } of [...notes].sort((a, b) => b.depth - a.depth)) {
    let at = placed.length
    for (let left = depth; left > 0 && at > 1;) {
      at--
      if (placed[at]!.role !== 'tool') left--
    }
    while (placed[at]?.role === 'tool') at--
    placed.splice(at, 0, { role, content: text })
  }
  return placed
}

/**
 * The conversation as a chat model takes it (PROTOCOL section 4: items). Chat models want the result of
 * a call right behind it, and one for every call, so results are moved there from wherever they stand.
 *
 * @param opens whether the model opens the conversation when there are no items
 */
export function chatMessages (system: string, items: readonly Item[], opens = true): LlmMessage[] {
  const messages: LlmMessage[] = [{ role: 'system', content: system }]
  const results = new Map<string, string>()
  for (const item of items) {
    if (item.type === 'function_call_output') results.set(item.call_id, item.output)
    else if (item.type === 'mcp_call') results.set(item.id, item.output ?? item.error?.message ?? '')
    addItem(messages, item)
  }
  if (messages.length === 1) messages.push({ role: 'user', content: opens ? OPEN_CONVERSATION : GO_AHEAD })
  if (!messages.some(message => message.role === 'assistant' && message.toolCalls !== undefined)) return messages
  return messages.flatMap(message => {
    if (message.role !== 'assistant' || message.toolCalls === undefined) return [message]
    return [message, ...message.toolCalls.map(({ id }): LlmMessage =>
      ({ role: 'tool', callId: id, content: results.get(id) ?? 'No result yet.' }))]
  })
}

function addItem (messages: LlmMessage[], item: Item): void {
  if (item.type === 'function_call') addCall(messages, item.call_id ?? item.id, item.name, item.arguments)
  else if (item.type === 'mcp_call') addCall(messages, item.id, item.name, item.arguments)
  else if (item.type === 'message' && item.role === 'assistant') addAnswer(messages, textOf(item))
  else if (item.type === 'message') {
    const content = item.role === 'user' ? partsOf(item.content) : textOf(item)
    if (content.length > 0) messages.push({ role: item.role, content })
  }
}

function addAnswer (messages: LlmMessage[], content: string): void {
  if (content !== '') messages.push({ role: 'assistant', content })
}

/** Calls of one answer belong to one message; a message said just before them takes them in. */
function addCall (messages: LlmMessage[], id: string, name: string, args: string): void {
  const call = { id, name, arguments: args }
  const last = messages.at(-1)
  if (last?.role === 'assistant') last.toolCalls = [...last.toolCalls ?? [], call]
  else messages.push({ role: 'assistant', content: '', toolCalls: [call] })
}

/** A message's words, of whatever kind its parts are. */
export function textOf (item: Extract<Item, { type: 'message' }>): string {
  const { content } = item
  // Nearly always there is one, and each turn reads them all.
  return content.length === 1 ? wordsOf(content[0]!).trim() : content.map(wordsOf).join(' ').trim()
}

function wordsOf (part: Extract<Item, { type: 'message' }>['content'][number]): string {
  return 'text' in part ? part.text : 'transcript' in part ? part.transcript ?? '' : ''
}

type UserContent = Extract<Item, { role: 'user' }>['content']

function partsOf (content: UserContent): string | LlmContentPart[] {
  if (content.length === 1 && content[0]!.type === 'input_text') return content[0]!.text
  const parts = content.flatMap((part): LlmContentPart[] => {
    if (part.type === 'input_image') return [{ type: 'image', url: part.image_url, detail: part.detail }]
    const text = part.type === 'input_text' ? part.text : part.transcript ?? ''
    return text === '' ? [] : [{ type: 'text', text }]
  })
  if (parts.some(part => part.type === 'image')) return parts
  return parts.map(part => part.type === 'text' ? part.text : '').join('\n')
}
