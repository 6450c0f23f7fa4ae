import type { ClientItem, Item } from './events/items.js'
import { createId } from './ids.js'

/** An item as the session keeps it, from what a client sent: known fields only, defaults filled in, audio left out. */
export function clientItem (given: ClientItem): Item {
  const id = given.id ?? createId('item')
  const status = given.status ?? 'completed'
  switch (given.type) {
    case 'function_call':
      return { id, type: 'function_call', status, name: given.name, call_id: given.call_id ?? createId('call'), arguments: given.arguments }
    case 'function_call_output':
      return { id, type: 'function_call_output', call_id: given.call_id, output: given.output }
    case 'message':
      switch (given.role) {
        case 'system':
          return { id, type: 'message', status, role: 'system', content: given.content.map(({ text }) => ({ type: 'input_text', text })) }
        case 'user':
          return {
            id,
            type: 'message',
            status,
            role: 'user',
            content: given.content.map(part => {
              if (part.type === 'input_text') return { type: part.type, text: part.text }
              if (part.type === 'input_image') return { type: part.type, image_url: part.image_url, detail: part.detail ?? 'auto' }
              return { type: part.type, transcript: part.transcript ?? null }
            })
          }
        case 'assistant':
          return {
            id,
            type: 'message',
            status,
            role: 'assistant',
            content: given.content.map(part => part.type === 'output_text'
              ? { type: part.type, text: part.text }
              : { type: part.type, transcript: part.transcript ?? null })
          }
      }
  }
}
