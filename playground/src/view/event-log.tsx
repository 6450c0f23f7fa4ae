import { useState } from 'preact/hooks'
import { clearLog, eventLog, showEvent } from '../session/event-log.js'

/** Rows that are drawn at most: the newest. */
const ROWS = 150

/** What goes over the wire, for people who build clients. */
export function EventLog () {
  const [filter, setFilter] = useState('')
  const [from, setFrom] = useState('both')
  const [open, setOpen] = useState<number | null>(null)
  const wanted = filter.trim().toLowerCase()
  const rows = eventLog.value.filter(entry => (from === 'both' || entry.from === from) &&
    (wanted === '' || entry.type.includes(wanted) || JSON.stringify(entry.event).toLowerCase().includes(wanted)))
  const shown = eventLog.value.find(({ number }) => number === open)
  return (
    <section class='events panel' aria-labelledby='events-title'>
      <div class='row'>
        <h2 id='events-title'>Events</h2>
        <button type='button' class='quiet' disabled={eventLog.value.length === 0} onClick={clearLog}>Clear</button>
      </div>
      <div class='row'>
        <input type='search' aria-label='Filter events' placeholder='Filter' value={filter} onInput={event => setFilter(event.currentTarget.value)} />
        <select aria-label='Direction' value={from} onChange={event => setFrom(event.currentTarget.value)}>
          <option value='both'>both ways</option>
          <option value='client'>sent</option>
          <option value='server'>received</option>
        </select>
      </div>
      {rows.length === 0 && <p class='empty'>{eventLog.value.length === 0 ? 'All that goes over the wire appears here.' : 'Nothing fits the filter.'}</p>}
      <ol class='rows' tabIndex={0} aria-label='Events, newest first'>
        {rows.slice(-ROWS).toReversed().map(({ number, at, from, type, count }) => (
          <li key={number}>
            <button type='button' aria-expanded={number === open} class={type === 'error' ? 'bad' : ''} onClick={() => setOpen(number === open ? null : number)}>
              <span class='at'>{at.toFixed(1)}</span>
              <span class={from} title={from === 'client' ? 'sent' : 'received'}>{from === 'client' ? '↑' : '↓'}<span class='hidden'>{from === 'client' ? 'sent' : 'received'}</span></span>
              <span class='type'>{type}</span>
              {count > 1 && <span class='count'>×{count}</span>}
            </button>
          </li>
        ))}
      </ol>
      <p class='hidden' role='status'>{wanted === '' ? '' : `${rows.length} events`}</p>
      {shown !== undefined && <pre tabIndex={0} aria-label={`${shown.type} as JSON`}>{showEvent(shown.event)}</pre>}
    </section>
  )
}
