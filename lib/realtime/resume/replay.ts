import type { Conversation } from '../conversation.js'
import type { Outbox } from '../outbox.js'

/** Tells a client of the items there are, as when they came (PROTOCOL section 7.1). */
export function replay ({ entries }: Conversation, outbox: Outbox): void {
  let previous: string | null = null
  for (const { item, hidden } of entries) {
    if (hidden === true) continue
    outbox.send({ type: 'conversation.item.added', previous_item_id: previous, item })
    outbox.send({ type: 'conversation.item.done', previous_item_id: previous, item })
    previous = item.id
  }
}
