import type { Entry } from './conversation.js'
import type { SessionObject } from './events/session-object.js'

/** A character by its name; null: the session while no character is selected. */
export type Participant = string | null

/** Who alone knows what is said now: with shared memory nobody, since everybody does. */
export function ownerOf (memory: SessionObject['memory'], participant: Participant): Entry['owner'] {
  return memory === 'own' ? participant : undefined
}

/** Marks an entry as one that only its owner knows. */
export function belonging (entry: Entry, owner: Entry['owner']): Entry {
  if (owner !== undefined) entry.owner = owner
  return entry
}

export function knows (participant: Participant, { owner }: Entry): boolean {
  return owner === undefined || owner === participant
}

/** What a participant may be told of a conversation. The same array if that is all. */
export function knownTo (participant: Participant, entries: readonly Entry[]): readonly Entry[] {
  return entries.every(entry => knows(participant, entry)) ? entries : entries.filter(entry => knows(participant, entry))
}

/** What the user said last to a participant, if nobody has answered it. */
export function unansweredBy (participant: Participant, entries: readonly Entry[]): Entry[] {
  const turn: Entry[] = []
  for (let index = entries.length - 1; index >= 0; index--) {
    const entry = entries[index]!
    const { item, owner, hidden } = entry
    if (item.type !== 'message' || item.role === 'assistant' || hidden || owner !== participant) break
    // What the client tells a character beside the user's words stays that character's.
    if (item.role === 'user') turn.unshift(entry)
  }
  return turn
}

/** Whose a client's item is: the result of a call is of whoever made the call. */
export function ownerOfItem ({ item }: Entry, entries: readonly Entry[], owner: Entry['owner']): Entry['owner'] {
  if (item.type !== 'function_call_output') return owner
  const call = entries.findLast(({ item: other }) => other.type === 'function_call' && other.call_id === item.call_id)
  return call === undefined ? owner : call.owner
}
