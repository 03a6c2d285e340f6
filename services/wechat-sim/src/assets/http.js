// Requests to the simulator's API.
export const callApi = (path, body) =>
  fetch(
    `/sim/api/${path}`,
    body && {
      method: 'POST',
      // The second header counts where a service asks who opens the phones.
      headers: { 'content-type': 'application/json', 'x-paihao-page': '1' },
      body: JSON.stringify(body),
    },
  ).then(answer => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))));
