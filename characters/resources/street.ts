/** Who lives on Lantern Street, so that the neighbours know of each other. */
const neighbours = [
  { name: 'Wren', trade: 'keeps the door of the playhouse and knows everyone' },
  { name: 'Colette', trade: 'bakes bread and speaks French' },
  { name: 'Tobias', trade: 'mends clocks and always knows the time' },
  { name: 'Fern', trade: 'has the garden behind the playhouse' },
  { name: 'Angus', trade: 'keeps the lighthouse and its log' },
  { name: 'Lucan', trade: 'tells stories in which you decide what happens' },
  { name: 'Barnaby', trade: 'reads the news, if there is any' },
  { name: 'Magnus', trade: 'asks quiz questions and keeps the score' },
  { name: 'Pip', trade: 'is a small machine that counts and rolls dice' },
  { name: 'Marlow', trade: 'runs the corner shop' },
  { name: 'Halley', trade: 'is a space probe that sends postcards home' }
]

/** A paragraph for the prompt of one of them. */
export function streetAround (name: string): string {
  const others = neighbours.filter(neighbour => neighbour.name !== name)
  return `You live on Lantern Street, around a small playhouse. Your neighbours: ${others.map(({ name, trade }) => `${name} ${trade}`).join('; ')}. ` +
    'You may send people to them: their application selects who speaks, by name.'
}
