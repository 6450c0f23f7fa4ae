import type { TurnDetection } from './events/session-object.js'

type Eagerness = Extract<TurnDetection, { type: 'semantic_vad' }>['eagerness']

/** How long a pause ends a turn whose words sound finished, may be finished, or are not. Milliseconds. */
const PAUSES: Record<Eagerness, Record<Completeness, number>> = {
  low: { finished: 1000, open: 2000, unfinished: 8000 },
  medium: { finished: 600, open: 1200, unfinished: 4000 },
  auto: { finished: 600, open: 1200, unfinished: 4000 },
  high: { finished: 350, open: 700, unfinished: 2000 }
}

/** How likely the end of a turn must be to be taken for one. */
const CERTAINTIES: Record<Eagerness, number> = { low: 0.8, medium: 0.6, auto: 0.6, high: 0.4 }

export type Completeness = 'finished' | 'open' | 'unfinished'

/** Sounds of somebody who still thinks; the same in most languages. */
const FILLERS = 'um uhm uh er erm hm hmm mm ähm äh öhm euh heu eh em este'

/** By language: words after which something has to follow, and words after which something often does. */
const LEADING: Record<string, { must: string, may: string }> = {
  en: {
    must: 'and or but because if although unless than whether nor as the a an my your our their its i\'m you\'re we\'re they\'re i\'d i\'ll we\'ll let\'s',
    may: 'so when while though until since which who that this these those his her some every ' +
      'of to for from with without at by into onto about between during via in on like very really ' +
      'is are was were am be will would could should can may might must do does'
  },
  de: {
    must: 'und oder aber weil dass ob sondern ein einen einem dem des mein meine dein deine unser zum zur vom im am',
    may: 'denn wenn während damit als wie der die das den eine einer sein seine ihr ihre ' +
      'von zu für mit ohne bei nach aus in an auf über unter zwischen wegen sehr also dann'
  },
  fr: {
    must: 'et ou mais parce car que qui dont puisque des du de au aux mon ma mes ton ta tes ses notre votre ce cette ces à',
    may: 'si quand lorsque comme le la les un une son sa leur pour avec sans chez dans sur sous entre vers très alors donc'
  },
  es: {
    must: 'y e o u pero porque que aunque el los las del al mi tu su nuestro nuestra unos unas',
    may: 'si cuando mientras como la un una este esta a para por con sin en de sobre entre hasta desde muy entonces'
  }
}

const toSet = (words: string) => new Set(words.split(' '))
const fillers = toSet(FILLERS)
const leading = new Map(Object.entries(LEADING).map(([language, { must, may }]) => [language, { must: toSet(`${must} ${FILLERS}`), may: toSet(may) }]))
const unknown = { must: fillers, may: new Set<string>() }

/**
 * Whether words sound like the end of a turn. Recognisers put a full stop behind whatever they heard, so
 * the last word counts before the punctuation does.
 *
 * @param language ISO-639-1; null is English. Of languages not known here only fillers and punctuation count.
 */
export function completeness (words: string, language: string | null): Completeness {
  const text = words.trim()
  if (text === '') return 'open'
  if (/(?:[,;:–—-]|\.\.\.|…)$/.test(text)) return 'unfinished'
  const last = /([\p{L}\p{M}'’]+)[^\p{L}\p{M}\p{N}]*$/u.exec(text)?.[1]?.toLowerCase().replace('’', '\'') ?? ''
  const { must, may } = leading.get((language ?? 'en').slice(0, 2).toLowerCase()) ?? unknown
  if (must.has(last)) return 'unfinished'
  // "So" and "that" alone are answers, and "I think so" is a sentence: no reason to wait long.
  if (may.has(last)) return 'open'
  return /[.!?。！？]["'”’)\]]*$/.test(text) ? 'finished' : 'open'
}

/**
 * How long the speaker may pause after these words before the turn is over (PROTOCOL section 8.1); without words,
 * when a recogniser that predicts the ends of turns sees none. Milliseconds.
 */
export function patience (eagerness: Eagerness, words?: string, language: string | null = null): number {
  return PAUSES[eagerness][words === undefined ? 'unfinished' : completeness(words, language)]
}

/** Whether a recogniser's prediction, 0..1, is enough to end the turn. */
export function predictedEnd (eagerness: Eagerness, pause: number): boolean {
  return pause > CERTAINTIES[eagerness]
}
