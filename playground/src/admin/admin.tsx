import { useEffect, useState } from 'preact/hooks'
import { apiKey } from '../session/settings.js'
import { FileErrors } from '../view/file-errors.js'
import { closeSession, drain, look, problem, rates, refusal, server, sessions, type LiveSession } from './operator.js'

/** Between two looks at the server. Milliseconds. */
const EVERY_MS = 2000

/** Who is connected, and what an operator may do about it. */
export function Admin () {
  useEffect(() => {
    look().catch(() => {})
    const timer = setInterval(() => { look().catch(() => {}) }, EVERY_MS)
    return () => clearInterval(timer)
  }, [])
  const list = sessions.value
  const state = server.value
  return (
    <>
      <header>
        <a class='brand' href='./'><img src='./playground-icon.svg' alt='' width='28' height='28' /><span>Dramatis</span></a>
        <label class='key'>API key <input type='password' autocomplete='off' placeholder='none' value={apiKey.value} onChange={event => { apiKey.value = event.currentTarget.value.trim(); look().catch(() => {}) }} /></label>
      </header>
      <div class='problems' role='alert'>{problem.value !== null && <p>{problem.value}</p>}{refusal.value !== null && <p>{refusal.value}</p>}</div>
      <main class='admin'>
        <div class='summary'>
          <h1>Sessions</h1>
          {state !== null && list !== null && (
            <dl>
              <div><dt>live</dt><dd>{list.length}</dd></div>
              <div><dt>server</dt><dd>{state.status}</dd></div>
              <div><dt>memory</dt><dd>{megabytes(state.memory)}</dd></div>
              <div><dt>heap</dt><dd>{megabytes(state.heap)}</dd></div>
            </dl>
          )}
          {state !== null && list !== null && <Drain draining={state.draining} />}
        </div>
        {list !== null && list.length === 0 && <p class='panel empty'>Nobody is connected.</p>}
        {list !== null && list.length > 0 && <Sessions list={list} />}
      </main>
    </>
  )
}

function Drain ({ draining }: { draining: boolean }) {
  const [asked, setAsked] = useState(false)
  if (draining) return <p class='bad'>The server is draining: it takes nobody in until it is started again.</p>
  if (!asked) return <button type='button' onClick={() => setAsked(true)}>Drain…</button>
  return (
    <div class='row' role='group' aria-label='Drain the server'>
      <span>Answers finish, all sessions end, and nobody gets in until the server is started again.</span>
      <button type='button' class='primary' onClick={() => { drain().catch(() => {}) }}>Drain now</button>
      <button type='button' class='quiet' onClick={() => setAsked(false)}>No</button>
    </div>
  )
}

function Sessions ({ list }: { list: readonly LiveSession[] }) {
  return (
    <div class='panel table' role='region' aria-label='Live sessions' tabIndex={0}>
      <table>
        <thead><tr>{['Session', 'Since', 'Cast', 'Version', 'Character', 'Doing'].map(title => <th key={title} scope='col'>{title}</th>)}{['Turns', 'In', 'Out', 'Holds'].map(title => <th key={title} class='number' scope='col'>{title}</th>)}<th scope='col'><span class='hidden'>Close</span></th></tr></thead>
        <tbody>{list.map(session => <Row key={session.id} session={session} />)}</tbody>
      </table>
    </div>
  )
}

function Row ({ session: { id, since, key, directory, version, characters, selected, active_response: active, counters, load_errors: errors } }: { session: LiveSession }) {
  const rate = rates.value.get(id)
  return (
    <>
      <tr>
        <th scope='row'><code>{id}</code>{key !== null && <small>key “{key}”</small>}</th>
        <td><time dateTime={since}>{ago(since)}</time></td>
        <td class='name' title={characters.join(', ')}>{directory} ({characters.length})</td>
        <td><code title={version}>{version.slice(0, 8)}</code></td>
        <td class='name' title={selected ?? ''}>{selected ?? 'nobody'}</td>
        <td>{active !== null ? 'answering' : (rate?.in ?? 0) > 1000 ? 'listening' : 'idle'}</td>
        <td class='number'>{counters.responses}</td>
        <td class='number'>{kilobytes(rate?.in)}</td>
        <td class='number'>{kilobytes(rate?.out)}</td>
        <td class='number'>{(counters.bytes_held / 1000).toFixed(1)} KB</td>
        <td><button type='button' aria-label={`Close ${id}`} onClick={() => { closeSession(id).catch(() => {}) }}>Close</button></td>
      </tr>
      {errors.length > 0 && <tr class='errors'><td colSpan={11}><FileErrors errors={errors as Parameters<typeof FileErrors>[0]['errors']} /></td></tr>}
    </>
  )
}

function ago (since: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000))
  return seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`
}

function megabytes (bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

function kilobytes (bytes = 0): string {
  return `${(bytes / 1000).toFixed(1)} KB/s`
}
