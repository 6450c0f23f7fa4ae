/** The plain words of a text: lower case, without accents and punctuation, contractions written out. */
export function wordsOf (text: string): string[] {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[’`]/g, '\'')
    .replace(/\b(what|who|where|when|how|that|there|here|it|he|she|let)'s\b/g, '$1 is')
    .replace(/\bi'm\b/g, 'i am')
    .replace(/\bcan't\b/g, 'can not')
    .replace(/\bwon't\b/g, 'will not')
    .replace(/n't\b/g, ' not')
    .replace(/'(re|ve|ll|d)\b/g, (_, end: 're' | 've' | 'll' | 'd') => ({ re: ' are', ve: ' have', ll: ' will', d: ' would' })[end])
    .match(/[\p{L}\p{N}]+/gu) ?? []
}

/** Words that say little about what a sentence is about. Pronouns and question words stay: here they do. */
const SMALL = new Set(`
  a an the of to at in on is are was were be am do does did so well oh um uh ok okay please just then and or but
  could would will shall may might there really very some any now
  le la les un une des du de est et
`.match(/\S+/g))

export const isSmall = (word: string): boolean => SMALL.has(word)

const LIGHT = new Set(`
  i you me my your it we us he she they this that these those what who why how when where which
  about tell say give want like have has had get got know think if not no yes can again here there too today tonight
  else also with for by
  je tu vous que qui quoi comment pourquoi quel quelle ce moi votre
`.match(/\S+/g)?.map(stemOf))

/** How much a stem tells about what is meant, 0..1. */
export const weightOf = (stem: string): number => LIGHT.has(stem) ? 0.35 : 1

/** Enough of a stem for lemons and lemon, asked and asking, to meet. */
export function stemOf (word: string): string {
  if (word.length < 4) return word
  return word.replace(/(?:ies)$/, 'y').replace(/(?<=\w{3})(?:ing|ed|es|s)$/, '').replace(/(?<=\w{3})e$/, '')
}

const NUMBERS = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(' ')

/** A small whole number in figures or in words, or undefined. */
export function numberOf (word: string): number | undefined {
  if (/^\d+$/.test(word)) return Number(word)
  if (word === 'a' || word === 'an') return 1
  if (word === 'dozen') return 12
  const index = NUMBERS.indexOf(word)
  return index === -1 ? undefined : index
}

const MIRROR = new Map('i you,me you,my your,mine yours,myself yourself,am are,was were,you me,your my,yours mine,yourself myself,we you,our your,us you'
  .split(',').map(pair => pair.split(' ') as [string, string]))

/** The words as the other one would say them: my cat becomes your cat. */
export function mirror (text: string): string {
  return text
    .replace(/[’`]/g, '\'')
    .replace(/\bI'm\b/gi, 'you are')
    .replace(/\bI've\b/gi, 'you have')
    .replace(/\byou are\b/gi, 'I am')
    .replace(/\bI am\b/gi, 'you are')
    .replace(/\b[a-z]+\b/gi, word => MIRROR.get(word.toLowerCase()) ?? word)
}

/** A spoken phrase without the punctuation around it. */
export function bare (text: string): string {
  return text.replace(/\s+/g, ' ').replace(/^[\s"'“.,;:!?-]+|[\s"'”.,;:!?-]+$/g, '')
}

const TOPICLESS = new Set(`
  about think know want like tell have with from because something anything everything nothing today here there much many
  more most make made going gonna thing things always never yesterday tomorrow should people please would could what when
  where which this that these those they your mine still really maybe little talk said says tonight else
`.match(/\S+/g))

/** What a sentence seems to be about: what its last article stands before, else its longest telling word. */
export function topicOf (text: string): string | undefined {
  const words = text.match(/[\p{L}'’-]+/gu) ?? []
  const telling = (word: string | undefined) => {
    const plain = wordsOf(word ?? '')[0] ?? ''
    return plain.length > 2 && !/['’]/.test(word ?? '') && !isSmall(plain) && !TOPICLESS.has(plain) && weightOf(stemOf(plain)) === 1
  }
  const article = words.findLastIndex((word, i) => /^(?:an?|the|my|your|our|his|her|their|this|that)$/i.test(word) && telling(words[i + 1]))
  if (article !== -1) {
    const rest = words.slice(article + 1)
    const end = rest.findIndex(word => !telling(word))
    const phrase = rest.slice(0, end === -1 ? 3 : Math.min(end, 3)).join(' ')
    return mirror(`${words[article]!.toLowerCase().replace(/^an?$/, 'the')} ${phrase}`)
  }
  return words.filter(word => word.length > 3 && telling(word)).sort((a, b) => b.length - a.length)[0]
}

/** Whether it asks for something. */
export const isQuestion = (text: string): boolean =>
  /\?\s*$/.test(text) || /^\W*(?:and |so |but |well )?(?:what|who|why|how|when|where|which|can|could|do|does|did|would|is|are|tell me)\b/i.test(text)
