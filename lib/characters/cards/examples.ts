/** Example dialogue as cards write it: `<START>` between conversations, `{{user}}:` and `{{char}}:` before lines. */
import type { CharacterExample } from '../character.js'

/** Pairs of what was said, and, in `rest`, blocks that do not read as pairs. */
export function readExamples (text: string, name: string): { pairs: CharacterExample[], rest: string } {
  const pairs: CharacterExample[] = []
  const rest: string[] = []
  for (const block of text.split(/<START>/i)) {
    if (block.trim() === '') continue
    const found = readBlock(block, name)
    if (found === undefined) rest.push(block.trim())
    else pairs.push(...found)
  }
  return { pairs, rest: rest.join('\n\n') }
}

function readBlock (block: string, name: string): CharacterExample[] | undefined {
  const lines: { who: 'user' | 'character', text: string }[] = []
  for (const line of block.trim().split('\n')) {
    const said = readSpeaker(line, name)
    if (said !== undefined) lines.push(said)
    else if (lines.length === 0) return undefined
    else lines.at(-1)!.text += `\n${line}`
  }
  const pairs: CharacterExample[] = []
  let user: string[] = []
  for (const { who, text } of lines) {
    if (who === 'user') user.push(text.trim())
    else if (user.length > 0) {
      pairs.push({ user: user.join('\n'), character: text.trim() })
      user = []
    } else if (pairs.length > 0) pairs.at(-1)!.character += `\n${text.trim()}`
    else return undefined
  }
  return user.length > 0 || pairs.length === 0 ? undefined : pairs
}

function readSpeaker (line: string, name: string): { who: 'user' | 'character', text: string } | undefined {
  const colon = line.indexOf(':')
  if (colon === -1 || colon > 210) return undefined
  const who = line.slice(0, colon).trim().toLowerCase()
  const text = line.slice(colon + 1)
  if (['{{user}}', '<user>', 'user', 'you'].includes(who)) return { who: 'user', text }
  if (['{{char}}', '<bot>', '<char>', name.toLowerCase()].includes(who)) return { who: 'character', text }
  return undefined
}
