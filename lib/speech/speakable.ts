import removeMarkdown from 'remove-markdown'
import { expandAbbreviations } from './abbreviations.js'
import { loadNumbers } from './numbers.js'

/** Every emoji of the Unicode recommendation, sequences included, and the joiners that a cut may leave. */
// A literal would need a later target of the compiler than Node 20 has.
const EMOJI_SETS = '\\p{RGI_Emoji}|\\u200d|\\ufe0f'
const EMOJI = new RegExp(EMOJI_SETS, 'gv')
const EMOTICON = /(?<=^|\s)[:;]-?[()DPp](?=\s|$)/g
const FENCE = /^\s*(?:```|~~~)/
const TABLE_RULE = /^\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*$/
const LINK = /(?<![\w@])(?:https?:\/\/|www\.)[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?…]/gi
const MAIL = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g
/** What words it takes to say where something is. */
const PLACES: Readonly<Record<string, { dot: string, at: string }>> = {
  en: { dot: 'dot', at: 'at' }, de: { dot: 'Punkt', at: 'ät' }, fr: { dot: 'point', at: 'arobase' }, es: { dot: 'punto', at: 'arroba' }
}

/** Text as it is to be said, for text as it was written; a clause at a time, in order. Empty if there is nothing to say. */
export type Speakable = (clause: string) => string

/**
 * What makes written text fit to be spoken: no marks of Markdown, no emoji, no code, hosts instead of addresses,
 * abbreviations and numbers in words. It remembers whether a block of code is open.
 *
 * @param language ISO-639-1, null is English; of languages not known here numbers stay as they are
 */
export async function createSpeakable (language: string | null): Promise<Speakable> {
  const code = (language ?? 'en').slice(0, 2).toLowerCase()
  const writeNumbers = await loadNumbers(code)
  const { dot, at } = PLACES[code] ?? { dot: '.', at: '@' }
  const host = (name: string) => dot === '.' ? name : name.replaceAll('.', ` ${dot} `)
  let fenced = false

  return clause => {
    const lines = clause.split('\n').filter(line => {
      if (FENCE.test(line)) {
        // A block that opens and ends in one line is no block.
        if (!/```.*```/.test(line)) fenced = !fenced
        return false
      }
      return !fenced && !TABLE_RULE.test(line)
    })
    const plain = unmark(lines.map(readRow).join('\n'))
    const named = plain
      .replace(LINK, link => host(hostOf(link)))
      .replace(MAIL, address => host(address.replace('@', ` ${at} `)))
      .replace(EMOJI, '')
      .replace(EMOTICON, '')
    const words = writeNumbers(expandAbbreviations(named, code)).replace(/[^\S\n]{2,}/g, ' ').replace(/ (?=[.,!?…](?:\s|$))/g, '')
    return /[\p{L}\p{N}]/u.test(words) ? words : ''
  }
}

/** A pair of marks may be in two clauses, so those that are alone go too. */
function unmark (text: string): string {
  // It takes everything between < and > for a tag.
  const safe = text.replace(/<(?![a-z/!])/gi, ' less than ')
  return removeMarkdown(safe)
    .replace(/(?<![\p{L}\p{N}\s])[*_]+(?=\S)|(?<=^|\s)[*_~]+(?=\p{L})|(?<=\S)\*+(?!\p{N})|`+/gu, '')
}

/** The cells of a table's row one after another. */
function readRow (line: string): string {
  if (!/^\s*\|.*\|\s*$/.test(line)) return line
  return line.trim().slice(1, -1).split('|').map(cell => cell.trim()).filter(cell => cell !== '').join(', ') + '.'
}

function hostOf (link: string): string {
  const url = link.includes('://') ? link : `https://${link}`
  return (URL.canParse(url) ? new URL(url).hostname : link).replace(/^www\./, '')
}
