import { RealtimeError } from '../errors.js'
import { isTooDeep } from './cards/json.js'
import { cardLimits } from './cards/problem.js'

/** Characters that came with an event, to stand where a directory may. */
export interface Inline { readonly characters: readonly unknown[] }

/** Several places that a cast is from, the later ones over the earlier. */
export class Sources {
  readonly list: readonly (string | Inline)[]
  /** The field of the event that named them. */
  readonly param: string

  constructor (list: readonly (string | Inline)[], param: string) {
    this.list = list
    this.param = param
  }

  /** Throws if what came with the event is more than it may. */
  check (limits: { inlineCharacters: number, inlineBytes: number }): void {
    const definitions = this.list.flatMap(source => typeof source === 'string' ? [] : source.characters)
    if (definitions.length > limits.inlineCharacters) {
      throw new RealtimeError('too_many_characters', { param: this.param, message: `${definitions.length} characters came with the event, and ${limits.inlineCharacters} may.` })
    }
    const deep = definitions.findIndex(definition => isTooDeep(definition))
    if (deep !== -1) throw new RealtimeError('invalid_value', { param: this.param, message: `Invalid value: characters[${deep}] is nested deeper than ${cardLimits.depth} levels.` })
    const bytes = definitions.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(definitions))
    if (bytes > limits.inlineBytes) {
      throw new RealtimeError('characters_too_large', { param: this.param, message: `The characters that came with the event have ${bytes} bytes, and may have ${limits.inlineBytes}.` })
    }
  }
}
