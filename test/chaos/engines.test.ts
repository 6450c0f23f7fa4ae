import t from 'tap'
import { nobody } from '../support/casts.js'
import { startChatServer, type ChatStep } from '../support/chat-server.js'
import { ANSWER, surviveFault } from '../support/cuts.js'
import { cannedEngines, says } from '../support/engines.js'
import { manners, Saboteur, stages } from '../support/saboteur.js'
import { startServer } from '../support/server.js'

// Any engine is cut at one of its messages, in any manner: the session answers the next turn. The full size is in bench/.

for (const stage of stages) {
  t.test(`whatever becomes of ${stage}, the next turn is answered`, async t => {
    const saboteur = new Saboteur()
    const server = await startServer(t, { ...saboteur.wrap(cannedEngines(() => says(ANSWER))), characters: nobody })
    const client = await server.connect()
    for (const manner of manners) {
      // The ears of the tests say two things in all.
      for (const at of stage === 'stt' ? [0, 1] : [0, 1, 4]) {
        const { struck, answered } = await surviveFault(client, saboteur, { stage, at, manner })
        t.ok(struck, `${manner} at message ${at} has happened`)
        t.ok(answered, `after ${manner} at message ${at} the next turn is answered`)
      }
    }
    t.equal(client.of('error').length, 0)
    t.notMatch(await (await fetch(`${server.http}/metrics`)).text(), /dramatis_engine_circuit_open\{engine="\w+"\} 1/)
  })
}

t.test('wherever the connection to a model is cut, the next turn is answered', async t => {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const server = await startServer(t, { characters: nobody, llm: { baseUrl: chat.url, model: 'test-model', retries: 0, stallTimeoutMs: 1000, firstResultTimeoutMs: 1000 } })
  const client = await server.connect()
  const whole: ChatStep[] = [{ text: 'One.' }, { text: ' Two.' }, { text: ' Three.' }, { finish: 'stop' }]
  const cuts: ChatStep[] = ['drop', 'stall', { raw: 'data: {"choices":[{"delta":{"content":' }, { raw: '<html>502</html>\n\n' }, { raw: 'data: nonsense\n\n' }, 'done']
  for (const cut of cuts) {
    for (let at = 0; at < whole.length; at++) {
      chat.script([...whole.slice(0, at), cut, ...typeof cut === 'object' ? ['done' as const] : []])
      await client.ask('Hello?')
      t.equal(await client.ask('And now?'), 'Hello there.', `cut at ${at} by ${JSON.stringify(cut)}`)
    }
  }
  for (const status of [400, 401, 404, 429, 500, 503]) {
    chat.script({ status })
    await client.ask('Hello?')
    t.equal(await client.ask('And now?'), 'Hello there.', `refused with ${status}`)
  }
})
