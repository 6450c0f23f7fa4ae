import t from 'tap'
import { createSpeakable } from '../../lib/speech/speakable.js'

const cases: Record<string, [string, string][]> = {
  'marks of Markdown are not spoken, its text is': [
    ['**Hello** _there_, `x`!', 'Hello there, x!'],
    ['## Title\n', 'Title\n'],
    ['- one\n', 'one\n'],
    ['See [the docs](https://a.example/b?c=d).', 'See the docs.'],
    ['| tea | rye |\n|---|---|\n| 1 | 2 |\n', 'tea, rye.\none, two.\n'],
    ['snake_case stays, as 5 < 6 does', 'snake_case stays, as five less than six does'],
    ['**A pair may begin here. ', 'A pair may begin here. '],
    ['And end** there.', 'And end there.']
  ],
  'emoji and emoticons are not spoken': [
    ['Well done! 👩‍👩‍👧 🇫🇷 :)', 'Well done! '],
    ['😀 🎉', '']
  ],
  'addresses are said by their host': [
    ['Look at https://www.example.com/a/b?c=d#e.', 'Look at example dot com.'],
    ['Write to me@example.org, please.', 'Write to me at example dot org, please.']
  ],
  'abbreviations are said in full': [
    ['Dr. Who, Mrs. Dashwood vs. Mr. Bennet, e.g. here, etc.', 'Doctor Who, Missus Dashwood versus Mister Bennet, for example here, et cetera.'],
    ['No. 5 weighs 3 kg at 21°C.', 'number five weighs three kilograms at twenty-one degrees Celsius.'],
    ['tea & rye', 'tea and rye']
  ],
  'numbers are said as what they count': [
    ['3.5 and 1,234,567 and -4', 'three point five and one million two hundred thirty-four thousand five hundred sixty-seven and minus four'],
    ['$5.50, $3 million, €20, £1', 'five dollars and fifty cents, three million dollars, twenty euros, one pound'],
    ['50% of 10-12 people', 'fifty percent of ten to twelve people'],
    ['the 3rd, at 10:30 a.m., 7:05 or 9:00', 'the third, at ten thirty a m, seven oh five or nine o\'clock'],
    ['1984, 1900, 2005 and 2024', 'nineteen eighty-four, nineteen hundred, two thousand five and twenty twenty-four'],
    ['agent 007, call 5551234567', 'agent 0 0 7, call 5 5 5 1 2 3 4 5 6 7'],
    ['GPT-4o, v1.2.3, 3/4, the 1990s', 'GPT-4o, v1.2.3, 3/4, the 1990s']
  ]
}

for (const [promise, pairs] of Object.entries(cases)) {
  t.test(promise, async t => {
    const speakable = await createSpeakable(null)
    for (const [written, said] of pairs) t.equal(speakable(written), said)
  })
}

t.test('a block of code is passed over, though it comes in pieces', async t => {
  const speakable = await createSpeakable('en')
  t.same(['So:\n', '```js\n', 'const a = 1\n', '# no title\n', '```\n', 'That is all.'].map(speakable), ['So:\n', '', '', '', '', 'That is all.'])
})

t.test('other languages have their own numbers and signs, and unknown ones keep the digits', async t => {
  const german = await createSpeakable('de-DE')
  t.equal(german('Es kostet 1.234,5 Euro am 3. Mai.'), 'Es kostet eintausendzweihundertvierunddreißig komma fünf Euro am 3. Mai.')
  t.equal(german('Siehe www.beispiel.de.'), 'Siehe beispiel Punkt de.')
  t.equal((await createSpeakable('fr'))('Il y a 21 chats.'), 'Il y a vingt et un chats.')
  t.equal((await createSpeakable('tlh'))('**wa** 12 😀'), 'wa 12 ')
})

t.test('long and hostile text costs little', async t => {
  const speakable = await createSpeakable(null)
  for (const text of ['*'.repeat(20_000), '_'.repeat(20_000), '['.repeat(20_000), '1,'.repeat(10_000), 'a.'.repeat(10_000), '<'.repeat(20_000), '`'.repeat(20_000)]) {
    const begun = process.cpuUsage()
    speakable(text.slice(0, 2000))
    const { user } = process.cpuUsage(begun)
    t.ok(user < 500_000, `${text.slice(0, 3)}: ${user} us`)
  }
})
