import MiniSearch from 'minisearch'
import type { LlmCharacter } from '../engine.js'
import { compileSlots, type Slots } from './slots.js'
import { isSmall, stemOf, weightOf, wordsOf } from './words.js'

export type Example = LlmCharacter['examples'][number]

export interface Match {
  example: Example
  /** Its place in the script. */
  number: number
  slots: Slots | undefined
  /** 0..1; 1 is word for word. */
  score: number
}

/** A character's examples, made searchable. */
export interface Script {
  /** The examples that fit what was said, the best first. */
  find (said: string): Match[]
  /** The example that takes any answer: one whose user says nothing but the tool's argument. */
  readonly catchAll: Match | undefined
}

/** How many different scripts are kept for sessions to come. */
const KEPT = 64

// A script goes when its examples go. Sessions have each their own copy of the same examples: they share
// one script, made of a copy that belongs to none of them.
const scripts = new WeakMap<LlmCharacter['examples'], Script>()
const shared = new Map<string, Script>()

export function scriptOf (examples: LlmCharacter['examples']): Script {
  let script = scripts.get(examples)
  if (script !== undefined) return script
  const content = JSON.stringify(examples)
  script = shared.get(content) ?? createScript(JSON.parse(content) as Example[])
  scripts.set(examples, script)
  // Set anew, the ones in use stand last; the first is the one that was not wanted for longest.
  shared.delete(content)
  shared.set(content, script)
  if (shared.size > KEPT) shared.delete(shared.keys().next().value!)
  return script
}

function createScript (examples: LlmCharacter['examples']): Script {
  const lines = examples.map((example, number) => {
    const slots = compileSlots(example)
    const user = slots?.literal ?? example.user
    return { id: number, example, slots, exact: wordsOf(example.user).join(' '), user, weight: weigh(termsOf(user)) }
  })
  const index = new MiniSearch<{ id: number, user: string }>({
    fields: ['user'],
    tokenize: wordsOf,
    processTerm: word => isSmall(word) ? null : stemOf(word),
    searchOptions: {
      prefix: term => term.length > 4,
      fuzzy: term => term.length > 5 ? 0.2 : false,
      weights: { prefix: 0.6, fuzzy: 0.5 }
    }
  })
  index.addAll(lines)

  return {
    catchAll: lines.filter(({ slots }) => slots?.literal === '').map(line => toMatch(line, 0))[0],
    find (said) {
      const exact = wordsOf(said).join(' ')
      const weight = weigh(termsOf(said))
      const scores = new Map<number, number>()
      for (const hit of index.search(said)) {
        // The index finds the lines; how good a find is tells what it leaves over on both sides.
        const known = weigh(hit.terms) / lines[hit.id]!.weight
        const used = weigh(hit.queryTerms) / weight
        scores.set(hit.id, 0.97 * 2 * known * used / (known + used))
      }
      for (const { id, exact: line, slots, weight } of lines) {
        if (line === exact) scores.set(id, 1)
        // Words that stand before anything, such as I am, are no sign that the rest is meant for this slot.
        else if (weight >= 1 && slots?.capture(said) !== undefined) scores.set(id, Math.max(scores.get(id) ?? 0, 0.7))
      }
      return [...scores]
        .sort(([, a], [, b]) => b - a)
        .map(([id, score]) => toMatch(lines[id]!, score))
    }
  }
}

const termsOf = (text: string): string[] => wordsOf(text).filter(word => !isSmall(word)).map(stemOf)

const weigh = (terms: readonly string[]): number => [...new Set(terms)].reduce((sum, term) => sum + weightOf(term), 0)

function toMatch ({ id, example, slots }: { id: number, example: Example, slots: Slots | undefined }, score: number): Match {
  return { example, number: id, slots, score }
}
