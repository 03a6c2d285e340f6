// Requests to the simulator's API.
export const callApi = (path, body) =>
  fetch(
    `/sim/api/${path}`,
    body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    },
  ).then(answer => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))));
