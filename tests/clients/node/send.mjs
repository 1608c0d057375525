// Sends one of each with the clients of Segment and of Customer.io: `node send.mjs URL WIDGET_KEY INGEST_KEY`.
import { Analytics } from '@segment/analytics-node'
import { TrackClient } from 'customerio-node'

const [url, writeKey, apiKey] = process.argv.slice(2)

const analytics = new Analytics({ writeKey, host: url })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
analytics.identify({ anonymousId: 'a1', traits: { city: 'Rome' } })
analytics.identify({
  userId: 'ann',
  anonymousId: 'a1',
  traits: { email: 'ann@a.example', createdAt: new Date('2020-01-02') },
})
analytics.track({ userId: 'ann', event: 'paid', properties: { total: 5, when: new Date('2020-01-02') } })
analytics.group({ userId: 'ann', groupId: 'acme', traits: { name: 'Acme' } })
analytics.page({ userId: 'ann', category: 'Docs', name: 'Index' })
analytics.screen({ anonymousId: 'a2', name: 'Home' })
analytics.track({ userId: 'bob', event: 'early', timestamp: new Date() })
analytics.alias({ userId: 'ann', previousId: 'a2' })
await analytics.closeAndFlush()

const customers = new TrackClient('any site', apiKey, { url: `${url}/api/v1` })
await customers.identify('bob', { email: 'bob@a.example', created_at: new Date('2020-01-02') })
await customers.track('bob', { name: 'opened', data: { from: 'mail' }, timestamp: 1577923200 })
await customers.suppress('bob')
await customers.unsuppress('bob')
await customers.suppress('bob')
await customers.identify('cec', { email: 'cec@a.example' })
await customers.destroy('cec')
await customers.destroy('nobody')
