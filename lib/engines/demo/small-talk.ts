import type { LlmCharacter } from '../engine.js'
import { english, french, type Phrases, type Reply } from './phrases.js'
import { bare, isQuestion, mirror, topicOf, wordsOf } from './words.js'

/** What the phrases are filled with and chosen by. */
export interface Talk {
  character: LlmCharacter
  phrases: Phrases
  /** The user's last words. */
  said: string
  /** The user's name, if it was told. */
  name: string | undefined
  /** What the character said so far, the latest first. */
  spoken: readonly string[]
  /** How many turns the user had: turns the choice between lines. */
  turn: number
}

const languages = new WeakMap<LlmCharacter['examples'], Phrases>()

/** The phrases of the language in which a character's own lines are written. */
export function phrasesFor (character: LlmCharacter): Phrases {
  let phrases = languages.get(character.examples)
  if (phrases === undefined) {
    phrases = phrasesOf([character.greeting ?? '', ...character.examples.map(example => example.character)].join(' '))
    languages.set(character.examples, phrases)
  }
  return phrases
}

function phrasesOf (text: string): Phrases {
  const words = wordsOf(text)
  const share = ({ common }: Phrases) => words.filter(word => common.includes(word)).length
  return share(french) > share(english) ? french : english
}

/** The name that the user gave, the latest if it changed. */
export function nameIn (lines: readonly string[], { names }: Phrases): string | undefined {
  for (const line of lines.toReversed()) {
    for (const pattern of names) {
      const name = pattern.exec(line)?.[1]
      if (name !== undefined) return name[0]!.toUpperCase() + name.slice(1)
    }
  }
}

/** The answer of the first reply whose pattern fits. */
export function replyFrom (replies: readonly Reply[], talk: Talk): string | undefined {
  for (const { when, say, verbatim } of replies) {
    const hit = when.exec(talk.said)
    if (hit === null) continue
    const capture = hit[1] === undefined ? undefined : verbatim ? sentence(hit[1]) : mirror(bare(hit[1]))
    const line = choose(say, talk, { capture })
    if (line !== undefined) return line
  }
}

/** An answer to anything, about its topic if it has one; now and then it says what it is. */
export function fallback (talk: Talk): string {
  const { phrases, said, turn } = talk
  const about = phrases.fallback.filter(line => line.includes('{topic}'))
  const lines = isQuestion(said) ? phrases.unknown : topicOf(said) === undefined || about.length === 0 ? phrases.fallback : about
  const [first, second] = turn % 4 === 3 ? [phrases.honest, lines] : [lines, phrases.honest]
  return choose(first, talk, { start: turn }) ?? choose(second, talk, { start: turn }) ?? repeat(talk)
}

/** The first line, from `start` on, that was not said lately and all of whose placeholders can be filled. */
export function choose (lines: readonly string[], talk: Talk, { capture, start = 0 }: { capture?: string | undefined, start?: number } = {}): string | undefined {
  const filled = lines.map(line => fill(line, talk, capture)).filter(line => line !== undefined)
  const turned = filled.map((_, i) => filled[(i + start) % filled.length]!)
  const lately = talk.spoken.slice(0, 4)
  return turned.find(line => !lately.includes(line)) ?? turned.find(line => line !== talk.spoken[0])
}

/** The last line once more, but not in the same words. */
export function repeat (talk: Talk): string {
  return choose(talk.phrases.again, talk) ?? talk.spoken[0] ?? ''
}

function fill (line: string, talk: Talk, capture: string | undefined): string | undefined {
  const values: Record<string, string | undefined> = {
    me: talk.character.name,
    name: talk.name,
    last: talk.spoken[0],
    1: capture,
    get topic () { return topicOf(talk.said) },
    get hint () { return hintOf(talk) }
  }
  let complete = true
  const text = line.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = values[key]
    if (value === undefined) complete = false
    return value ?? ''
  })
  return complete ? text[0]?.toUpperCase() + text.slice(1) : undefined
}

/** Something that the character has a good answer to, in its language, another one each time. */
function hintOf ({ character: { examples }, phrases, turn, said }: Talk): string | undefined {
  const hints = examples.map(({ user }) => user).filter(user => {
    const { length } = wordsOf(user)
    return length > 2 && length < 12 && user !== said && phrasesOf(user) === phrases
  })
  const hint = hints[(turn * 3) % hints.length]
  return hint === undefined ? undefined : sentence(hint)
}

function sentence (text: string): string {
  const trimmed = text.trim()
  return /[.!?]$/.test(trimmed) ? trimmed : trimmed + '.'
}
