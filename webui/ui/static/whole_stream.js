// Keeps the stream of answers whole. Runs before Gradio's own scripts.
//
// Every answer of Gradio's queue comes over one stream for the page (GET queue/data). After the last one the server says
// close_stream, and Gradio's client opens another with the next event. An event that is sent while close_stream is still
// on its way finds the stream open, and when it closes nobody asks for the answer: the page waits for ever.
// Here Gradio's client reads a stream that never closes. Behind it a real one is open while an answer is owed.
(() => {
  const fetchPlainly = window.fetch.bind(window);
  const owed = new Set(); // ids of events that were taken and not answered
  const early = new Set(); // ids of events that were answered before the page had heard that they were taken
  let reader = null; // { address, sink, stop, isConnected } of the stream that Gradio's client reads

  const isFor = (address, door) => new URL(address, location.href).pathname.endsWith(`/queue/${door}`);

  const connect = async (mine) => {
    mine.isConnected = true;
    const answer = await fetchPlainly(mine.address, { headers: { Accept: "text/event-stream" }, signal: mine.stop.signal });
    if (answer.ok) pass(mine, answer.body);
    else mine.isConnected = false;
    return answer;
  };

  // Hands on every message but close_stream. A stream that ends without it was broken off, and ends for Gradio too.
  const pass = async (mine, body) => {
    const utf8 = new TextEncoder();
    let rest = "";
    let isClosed = false;
    try {
      for await (const part of body.pipeThrough(new TextDecoderStream())) {
        const events = (rest + part).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const message = event.startsWith("data:") ? JSON.parse(event.slice("data:".length)) : {};
          if (message.msg === "process_completed" && !owed.delete(message.event_id)) early.add(message.event_id);
          if (message.msg === "close_stream") isClosed = true;
          else mine.sink.enqueue(utf8.encode(`${event}\n\n`));
        }
      }
      mine.isConnected = false;
      if (!isClosed) end(mine);
      else if (owed.size > 0) await again(mine);
    } catch (error) {
      end(mine, error);
    }
  };

  const again = async (mine) => {
    try {
      const answer = await connect(mine);
      if (!answer.ok) throw new Error(`the stream of answers was refused (${answer.status})`);
    } catch (error) {
      end(mine, error);
    }
  };

  const end = (mine, error) => {
    mine.isConnected = false;
    if (reader !== mine) return; // Gradio's client has left it by itself
    reader = null;
    owed.clear();
    if (error) mine.sink.error(error);
    else mine.sink.close();
  };

  const open = async (address) => {
    const mine = { address, stop: new AbortController(), isConnected: false };
    const body = new ReadableStream({
      start: (sink) => { mine.sink = sink; },
      cancel: () => {
        if (reader === mine) reader = null;
        mine.stop.abort();
      },
    });
    reader = mine;
    const answer = await connect(mine);
    if (answer.ok) return new Response(body, { status: answer.status, headers: answer.headers });
    reader = null;
    return answer;
  };

  window.fetch = async (target, options) => {
    const address = target instanceof Request ? target.url : String(target);
    if (isFor(address, "data")) return open(address);
    const answer = await fetchPlainly(target, options);
    if (isFor(address, "join") && answer.ok) {
      const { event_id: event } = await answer.clone().json();
      if (!early.delete(event)) owed.add(event);
      if (owed.size > 0 && reader && !reader.isConnected) await again(reader);
    }
    return answer;
  };
})();
