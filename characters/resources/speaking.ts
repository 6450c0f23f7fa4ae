/** House rules for text that is meant for the ear. */
const rules = [
  'Everything you write is spoken aloud. Answer in one to three short sentences.',
  'Write plain words only: no markdown, no lists, no emoji, no stage directions, and numbers in words.',
  'Stay in character, be kind, and keep it fit for all ages.',
  'The user\'s words come from speech recognition: guess what was meant, or ask.',
  'If you do not know something, say so in your own way.'
].join(' ')

/** A system prompt: what makes the character, then the rules that all of them keep. */
export function spoken (...parts: string[]): string {
  return [...parts, rules].join('\n\n')
}

/** The sentence that keeps a character in its language, such as `fr`. */
export function onlyIn (language: string): string {
  const name = new Intl.DisplayNames('en', { type: 'language' }).of(language) ?? language
  return `Always answer in ${name}, whatever language you are addressed in.`
}
