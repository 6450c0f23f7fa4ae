import { directory, faces, lastReload, selected } from '../session/cast.js'
import { reload, select } from '../session/session.js'
import { Face } from './face.js'
import { FileErrors } from './file-errors.js'

/** Everybody who can be picked, and where others come from. */
export function Gallery () {
  return (
    <section class='gallery panel' aria-labelledby='gallery-title'>
      <h2 id='gallery-title'>Characters</h2>
      <ul class='faces'>
        {faces.value.map(({ name, description, comment, picture }) => (
          <li key={name}>
            <button type='button' class='card' aria-pressed={name === selected.value} onClick={() => { select(name).catch(() => {}) }}>
              <Face name={name} picture={picture} />
              <span>
                <strong>{name}</strong>
                {comment !== null && <small>{comment}</small>}
                {description !== null && <small class='voice'><span class='hidden'>voice: </span>{description}</small>}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <Reload />
    </section>
  )
}

function Reload () {
  const state = lastReload.value
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    reload(String(data.get('directory')), data.get('reset') === null ? 'keep' : 'reset').catch(() => {})
  }
  return (
    <form class='reload' onSubmit={submit}>
      <h3>Load a cast</h3>
      <label for='directory'>Directory</label>
      <div class='row'>
        <input id='directory' name='directory' defaultValue={directory.value} required autocomplete='off' spellcheck={false} aria-describedby='directory-help' />
        <button type='submit' disabled={state?.state === 'running'}>{state?.state === 'running' ? 'Loading…' : 'Load'}</button>
      </div>
      <small id='directory-help'>“default” loads the files again as they are now; other names are the server’s roots.</small>
      <label class='check'><input type='checkbox' name='reset' /> Start the conversation over</label>
      <div role='status'>
        {state?.state === 'done' && (
          <>
            <p class={state.report.error_count === 0 ? 'good' : 'bad'}>
              {state.report.loaded_count} of {state.report.total_files} files loaded in {Math.round(state.report.duration_ms)} ms.
            </p>
            <FileErrors errors={state.report.errors} />
          </>
        )}
        {state?.state === 'failed' && (
          <>
            <p class='bad'>{state.message}</p>
            <FileErrors errors={state.errors} />
          </>
        )}
      </div>
    </form>
  )
}
