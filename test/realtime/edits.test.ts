import t from 'tap'
import { cannedEngines, says } from '../support/engines.js'
import { editUnder, writeEdited } from '../support/edits.js'
import { startServer } from '../support/server.js'

t.test('of edits under sessions that talk every turn sees one whole version, never an older one, and nothing is left of the others', async t => {
  const directory = writeEdited(t.testdir({}))
  const server = await startServer(t, { ...cannedEngines(({ messages }) => says(String(messages[0]!.content))), characters: { directory, watch: true } })
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await server.connect()))
  const { mixed, backwards, versions, turns } = await editUnder(clients, { directory, edits: 40, pauseMs: edit => edit % 20 < 10 ? 5 : 100 })
  t.ok(versions > 10 && turns > 100, `${versions} versions in ${turns} turns`)
  t.equal(mixed, 0, 'mixtures')
  t.equal(backwards, 0, 'older versions')
  let alive = ''
  // Replaced casts still end their calls; the test's timeout is the end of this
  while (alive !== '10') alive = /^dramatis_namespaces (\d+)$/m.exec(await (await fetch(`${server.http}/metrics`)).text())![1]!
  t.equal(alive, '10', 'one cast a session')
})
