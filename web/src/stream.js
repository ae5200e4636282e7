/* Word of every change, by one stream for all windows of a session: a browser makes six connections to a host, and each
 * stream keeps one. The window that has the session's lock keeps the stream and tells the others a number, never what
 * happened; when it goes, the browser gives the lock to the next at once. Without locks each window that is seen keeps its own.
 * news(event or nothing): something changed. doubt(): the stream failed; has the session ended, or the service? */
export function follow(name, after, { news, doubt }) {
    let source = null; // null: this window keeps none
    let timer = 0;
    let wait = 0;
    let release = () => {};
    const leave = new AbortController();
    const together = navigator.locks && globalThis.BroadcastChannel;
    const channel = together && new BroadcastChannel(`spoke-${name}`);
    const seen = (n) => (after = Math.max(after, n));
    const tell = (n) => channel?.postMessage(n);

    // The service ends the stream after each event, and the page comes again with the last number it heard.
    function listen() {
        const mine = new EventSource(`/api/events?of=${name}&after=${after}`);
        let opened = false;
        source = mine;
        mine.onopen = () => {
            opened = true;
            if (wait) {
                wait = 0;
                tell(after);
                news();
            }
        };
        mine.addEventListener("change", (e) => {
            tell(seen(Number(e.lastEventId) || 0));
            news(JSON.parse(e.data));
        });
        mine.onerror = async () => {
            mine.close();
            if (source !== mine) return;
            if (!opened) {
                tell(0);
                wait = Math.min(wait ? wait * 2 : 1000, 15000);
                await doubt();
            }
            if (source === mine) timer = setTimeout(listen, opened ? 50 : wait);
        };
    }
    function pause() {
        clearTimeout(timer);
        source?.close();
        source = null;
    }
    const look = () => (document.hidden ? pause() : source || listen());
    function alone() {
        if (leave.signal.aborted) return;
        document.addEventListener("visibilitychange", look, { signal: leave.signal });
        look();
    }

    if (together) {
        channel.onmessage = ({ data }) => {
            if (!(data > 0)) return doubt();
            seen(data);
            return news();
        };
        const keep = (done) => {
            release = done;
            if (leave.signal.aborted) done();
            else listen();
        };
        navigator.locks.request(`spoke-${name}`, { signal: leave.signal }, () => new Promise(keep)).catch(alone);
    } else {
        alone();
    }
    return () => {
        leave.abort();
        pause();
        release();
        channel?.close();
    };
}
