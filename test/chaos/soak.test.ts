import t from 'tap'
import soak from '../../bench/soak.js'

// A short run cannot tell the last bytes from what the process itself still grows by: `npm run bench -- soak` does.
const LEAKED_SESSION = 5000

t.test('sessions that open, talk, reload and close in every order over the socket leave nothing', async t => {
  for (const { name, value, limit = Infinity, unit, note = '' } of await soak({ sessions: 600 })) {
    t.ok(value <= (unit === 'B' && limit > 0 ? LEAKED_SESSION : limit), `${name}: ${value} ${unit} ${note}`)
  }
})
