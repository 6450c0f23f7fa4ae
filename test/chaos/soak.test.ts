import t from 'tap'
import soak from '../../bench/soak.js'
import type { Figure } from '../../bench/figure.js'

const isWithin = ({ value, limit = Infinity }: Figure): boolean => value <= limit

t.test('sessions that open, talk, reload and close in every order over the socket leave nothing', async t => {
  let figures = await soak({ sessions: 800 })
  // What the process itself still grows by weighs less in a longer run; a leak weighs the same.
  if (!figures.every(isWithin)) figures = await soak({ sessions: 5000 })
  for (const figure of figures) t.ok(isWithin(figure), `${figure.name}: ${figure.value} ${figure.unit} ${figure.note ?? ''}`)
})
