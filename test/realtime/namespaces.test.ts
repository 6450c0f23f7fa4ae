import t from 'tap'
import { calls, hang, says, type Script } from '../support/engines.js'
import { start } from '../support/reloading.js'
import { until } from '../support/until.js'

// What each session's cast keeps to itself, and that nothing of it is left (docs/namespaces.md).

const reload = (directory: string) => ({ type: 'session.characters.reload', directory })

t.test('two casts with the same file names do not mix', async t => {
  const script: Script = ({ messages }) => {
    const last = messages.at(-1)!
    return last.role === 'tool' ? says(last.content) : calls('count', {})
  }
  const prompt = (llm: { requests: { messages: { content: unknown }[] }[] }) => new Set(llm.requests.map(({ messages }) => messages[0]!.content))

  t.test('in two sessions at once', async t => {
    const { connect, llm } = await start(t, script)
    const [red, blue, again] = await Promise.all([connect('?characters=red'), connect('?characters=blue'), connect('?characters=red')])
    const answers = await Promise.all([red, blue, again].map(async client => {
      const said: string[] = []
      for (let n = 0; n < 3; n++) said.push(await client.ask('Next?'))
      return said
    }))
    t.same(answers, [['red 1', 'red 2', 'red 3'], ['blue 1', 'blue 2', 'blue 3'], ['red 1', 'red 2', 'red 3']])
    t.same(prompt(llm), new Set(['You are Clerk. Of red', 'You are Clerk. Of blue']))
  })

  t.test('in one session after another', async t => {
    const { connect } = await start(t, script)
    const [one, other] = [await connect('?characters=red'), await connect('?characters=blue')]
    await one.ask('Next?')
    await other.ask('Next?')
    await one.reload({ directory: 'blue' })
    t.equal(await one.ask('Next?'), 'blue 1')
    t.equal(await other.ask('Next?'), 'blue 2')
    await one.reload({ directory: 'red' })
    t.equal(await one.ask('Next?'), 'red 1')
  })

  t.test('and a cast that is loaded again begins anew', async t => {
    const { connect } = await start(t, script)
    const client = await connect('?characters=red')
    t.equal(await client.ask('Next?'), 'red 1')
    await client.reload({ directory: 'red' })
    t.equal(await client.ask('Next?'), 'red 1')
  })

  t.test('while both reload and talk at the same time', async t => {
    const { connect } = await start(t, script)
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect()))
    await Promise.all(clients.map(async (client, index) => {
      for (let n = 0; n < 5; n++) {
        const house = (index + n) % 2 === 0 ? 'red' : 'blue'
        await client.reload({ directory: house })
        t.same([await client.ask('Next?'), await client.ask('Next?')], [`${house} 1`, `${house} 2`])
      }
    }))
  })
})

t.test('nothing is left', async t => {
  const gauge = async (http: string, name: string) => {
    const text = await (await fetch(`${http}/metrics`)).text()
    return Number(new RegExp(`^${name}(?:{[^}]*})? (.*)$`, 'm').exec(text)?.[1] ?? 0)
  }

  t.test('of the old cast after a reload', async t => {
    const { connect, live } = await start(t)
    const client = await connect()
    t.equal(live(), 1)
    for (const name of ['team', 'team/winter', 'red', 'default']) await client.reload({ directory: name })
    await until(() => live() === 1)
    await client.fail(reload('team/ruins'))
    await until(() => live() === 1)
    t.match(await client.listCharacters(), { directory: 'default' })
  })

  t.test('of a session when its socket closes', async t => {
    const { connect, live, http } = await start(t)
    const clients = await Promise.all([connect(), connect('?characters=team'), connect('?character=Bob')])
    t.equal(live(), 3)
    t.equal(await gauge(http, 'session_character_count'), 6)
    await Promise.all(clients.map(client => client.close()))
    await until(() => live() === 0)
    t.equal(await gauge(http, 'session_character_count'), 0)
    t.equal(await gauge(http, 'dramatis_sessions_active'), 0)
  })

  t.test('when the socket is cut', async t => {
    const { connect, live } = await start(t, async function * (request, signal) { yield await hang(signal) })
    const client = await connect()
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.socket.terminate()
    await until(() => live() === 0)
    t.equal(live(), 0)
  })

  t.test('when the socket closes during reloads', async t => {
    const { connect, live } = await start(t)
    const client = await connect()
    for (const name of ['team/slow', 'team', 'team/slow']) client.send(reload(name))
    await client.settle()
    await client.close()
    await until(() => live() === 0)
    t.same(client.of('session.characters.reloaded'), [])
  })

  t.test('when the client is refused after its cast was loaded', async t => {
    const { connect, live } = await start(t)
    await t.rejects(connect('?characters=team&character=Eve'), /400/)
    await until(() => live() === 0)
    t.equal(live(), 0)
  })

  t.test('when the server closes during a reload', async t => {
    const { connect, app, live } = await start(t)
    const client = await connect()
    client.send(reload('team/slow'))
    await client.settle()
    await app.close()
    t.equal(live(), 0)
    t.equal((await client.closed).code, 1001)
  })
})
