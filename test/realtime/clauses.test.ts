import t from 'tap'
import type { SpeechChunk } from '../../lib/engines/engine.js'
import { splitClauses } from '../../lib/realtime/clauses.js'
import { SpokenClauses } from '../../lib/realtime/spoken-clauses.js'
import { createSpeakable } from '../../lib/speech/speakable.js'
import { collect, stream } from '../support/streams.js'

/** As a model writes: a token for each word or mark. */
const tokens = (text: string) => text.match(/\s*[\p{L}\p{N}']+|\s*[^\p{L}\p{N}]/gu) ?? []
const split = (text: string) => collect(splitClauses(stream(...tokens(text))))

t.test('sentences are cut where they end, and nothing is lost', async t => {
  for (const sentences of [
    ['It is late. ', 'Is it? ', 'Go home!'],
    ['He met Dr. Smith of the U.S. Army at 3.5 km. ', 'Then he left.'],
    ['Some fruit, e.g. apples, approx. five, etc. is fine. ', 'Good.'],
    ['Well... maybe so… who knows. ', 'Yes.'],
    ['"Really?" he asked. ', 'She said "No." ', 'That was it.'],
    ['**Stop here.** ', 'Go on.'],
    ['1. First one.\n', '2. Second one.\n', 'Done.'],
    ['今日は。', 'お元気ですか？', 'はい']
  ]) {
    const text = sentences.join('')
    const pieces = await split(text)
    t.equal(pieces.join(''), text)
    // The first sentence may be cut at a clause.
    t.same(pieces.slice(-sentences.length + 1).map(piece => piece.trim()), sentences.slice(1).map(sentence => sentence.trim()), text)
  }
})

t.test('a sentence is given out before the next one is written, and the first clause before its sentence ends', async t => {
  let written = ''
  async function * writing (): AsyncGenerator<string> {
    for (const token of tokens('When all is said, we go home now. Then we rest for a while and eat. And sleep.')) {
      written += token
      yield token
    }
  }
  const seen: [string, string][] = []
  for await (const piece of splitClauses(writing())) seen.push([piece.trim(), written])
  t.same(seen, [
    ['When all is said,', 'When all is said, we'],
    ['we go home now.', 'When all is said, we go home now. Then'],
    ['Then we rest for a while and eat.', 'When all is said, we go home now. Then we rest for a while and eat. And'],
    ['And sleep.', 'When all is said, we go home now. Then we rest for a while and eat. And sleep.']
  ])
})

t.test('a sentence without an end is cut at a space', async t => {
  const pieces = await split('and on '.repeat(100))
  t.ok(pieces.every(piece => piece.length <= 301 && piece.endsWith(' ')))
})

t.test('the transcript is what was written, whatever was said aloud, and keeps step with the voice', async t => {
  const written = ['**Hello** 😀 there. ', '🎉 ', 'It costs $5.50, ', 'plain words only. ', '```\n', 'code\n', '```\n']
  const clauses = new SpokenClauses(await createSpeakable('en'))
  const heard: string[] = []
  async function * voice (): AsyncGenerator<SpeechChunk> {
    for await (const said of clauses.say(stream(...written))) {
      heard.push(said)
      const half = said.indexOf(' ', said.length / 2) + 1
      yield { text: said.slice(0, half), audio: new Int16Array(1) }
      yield { text: '', audio: new Int16Array(1) }
      yield { text: said.slice(half), audio: new Int16Array(1) }
    }
  }
  const chunks = await collect(clauses.tell(voice()))
  t.same(heard, ['Hello there. ', 'It costs five dollars and fifty cents, ', 'plain words only. '])
  t.equal(chunks.map(({ text }) => text).join(''), written.join(''))
  t.same(chunks.slice(6, 9).map(({ text }) => text), ['plain words ', '', 'only. '])
  t.match(chunks[3]!.text, /^🎉 It/)
})
