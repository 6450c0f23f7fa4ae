import t from 'tap'
import { countStable, splitWords, wordsAfter } from '../../lib/engines/local/stable-text.js'

const stable = (before: string, now: string): string => {
  const words = splitWords(now)
  return words.slice(0, countStable(splitWords(before), words)).join(' ')
}

const rest = (given: string, final: string): string => wordsAfter(splitWords(given), splitWords(final)).join(' ')

t.test('what two transcripts agree on is stable', async (t) => {
  t.equal(stable('He was not a', 'He was not an ill disposed'), 'He was not')
})

t.test('the last two words never are', async (t) => {
  t.equal(stable('He was not an', 'He was not an'), 'He was')
  t.equal(stable('He', 'He'), '')
  t.equal(stable('', ''), '')
})

t.test('the rest follows what was given', async (t) => {
  t.equal(rest('He was not', 'He was not an ill man.'), 'an ill man.')
  t.equal(rest('', 'He was.'), 'He was.')
  t.equal(rest('He was.', 'He was.'), '')
})

t.test('case and punctuation make no difference', async (t) => {
  t.equal(rest('He was, not', 'he was not an ill man.'), 'an ill man.')
})

t.test('after a word that turned out different it goes on in the right place', async (t) => {
  t.equal(rest('He vas not', 'He was not an ill man.'), 'an ill man.')
  t.equal(rest('He was a not', 'He was not an ill man.'), 'an ill man.')
  t.equal(rest('He not', 'He was not an ill man.'), 'an ill man.')
})

t.test('a shorter final transcript adds nothing', async (t) => {
  t.equal(rest('He was not', 'He was'), '')
})
