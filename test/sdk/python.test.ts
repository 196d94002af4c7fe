import { testSdk } from "./tour.ts";

testSdk("python");
