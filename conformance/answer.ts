import type { Client } from './client.js'
import { equal, expect, Failure, NotExercised } from './check.js'
import type { Frame } from './ledger.js'
import { isEnd, mayFollow } from './reference/order.js'

/** One response as it came: its own frames, and those of its items. */
export interface Answer {
  id: string
  created: Frame
  done: Frame
  frames: Frame[]
  /** Whether it is part of the conversation. */
  inConversation: boolean
  /** The frames of each output item, in order of their appearance. */
  items: { id: string, kind: string, frames: Frame[] }[]
}

/** Reads a response to its end. `created` if it was read already. */
export async function readAnswer (client: Client, created?: Frame): Promise<Answer> {
  created ??= await client.next('response.created')
  const id = created.response?.id
  const from = client.frames.indexOf(created)
  // It may be over already, when something else was waited for meanwhile.
  const isDone = (frame: Frame): boolean => frame.type === 'response.done' && frame.response?.id === id
  const done = client.past(isDone) ?? await client.next('response.done', isDone)
  const all = client.frames.slice(from, client.frames.indexOf(done) + 1)
  const added = all.filter(frame => frame.type === 'response.output_item.added' && frame.response_id === id)
  const ids = new Set(added.map(frame => frame.item?.id))
  const itemOf = (frame: Frame): unknown => frame.item_id ?? frame.item?.id
  const frames = all.filter(frame => frame.response_id === id || frame.response?.id === id || ids.has(itemOf(frame)))
  return {
    id,
    created,
    done,
    frames,
    inConversation: created.response?.conversation_id !== null,
    items: added.map(({ item }) => ({ id: item?.id, kind: item?.type, frames: frames.filter(frame => itemOf(frame) === item?.id) }))
  }
}

/** Judges the order of an answer's frames, and that ids and places agree. */
export function checkOrder (answer: Answer): void {
  const { frames, items, created, done, id } = answer
  expect(frames[0] === created, 'response.created before all that belongs to the response', frames[0]?.type, frames[0])
  for (const frame of frames) {
    if (frame.response_id !== undefined) equal(frame.response_id, id, `${frame.type} with response_id`, frame)
  }
  for (const [index, item] of items.entries()) {
    let last: string | null = null
    for (const frame of item.frames) {
      const next = mayFollow(item.kind, last, answer.inConversation)
      if (next === null) break
      expect(next.includes(frame.type), `${next.join(' or ') || 'nothing'} after ${last ?? 'response.created'}`, frame.type, frame)
      if (frame.output_index !== undefined) equal(frame.output_index, index, `${frame.type} with output_index`, frame)
      last = frame.type
    }
    expect(mayFollow(item.kind, null, true) === null || isEnd(last), 'response.output_item.done before response.done', `the last is ${last}`, done)
  }
  equal(done.response.output?.map((item: Frame) => item.id), items.map(item => item.id), 'response.done with the output items', done)
}

/** Judges that deltas, done events, parts, items and the response tell the same. */
export function checkContent (answer: Answer): void {
  for (const { id, kind, frames } of answer.items) {
    const of = (type: string) => frames.filter(frame => frame.type === type)
    const final = of('response.output_item.done')[0]?.item
    equal(answer.done.response.output.find((item: Frame) => item.id === id), final, 'in response.done the item', answer.done)
    if (kind === 'function_call') {
      const whole = of('response.function_call_arguments.done')[0]!
      equal(of('response.function_call_arguments.delta').map(frame => frame.delta).join('') || whole.arguments, whole.arguments, 'argument deltas that make', whole)
      equal(final.arguments, whole.arguments, 'an item with arguments', final)
    }
    if (kind === 'message') checkMessage(frames, final)
  }
}

function checkMessage (frames: Frame[], final: Frame): void {
  for (const done of frames.filter(frame => frame.type === 'response.content_part.done')) {
    const of = (type: string) => frames.filter(frame => frame.type === type && frame.content_index === done.content_index)
    const [kind, key] = done.part?.type === 'audio' ? ['response.output_audio_transcript', 'transcript'] : ['response.output_text', 'text']
    const whole = of(`${kind}.done`)[0]
    equal(of(`${kind}.delta`).map(frame => frame.delta).join(''), whole?.[key], `deltas that make the ${key}`, whole)
    equal(done.part[key], whole?.[key], 'a part with', done)
    equal(final.content[done.content_index]?.[key], whole?.[key], 'an item with', final)
  }
}

/** That the response ended as it should; a model that fails or says nothing proves nothing. */
export function mustComplete (answer: Answer, kind = 'message'): void {
  const { status, status_details: details } = answer.done.response
  if (status === 'failed') throw new NotExercised(`the response failed: ${JSON.stringify(details)}`)
  if (status !== 'completed') throw new Failure('status completed', status, answer.done)
  if (!answer.items.some(item => item.kind === kind)) throw new NotExercised(`the model made no ${kind}`)
}
